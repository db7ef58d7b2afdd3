"""Options of the local driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import mount
from pier.spec.errors import InvalidParameter, NotSupported, PierError
from pier.volumes.options import VolumeMount, check


def test_no_options_are_no_mount() -> None:
    assert check("v", {}) is None


def test_a_tmpfs_with_words_of_its_own() -> None:
    wanted = check("v", {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,nosuid,uid=1000"})
    assert wanted == VolumeMount("tmpfs", "tmpfs", mount.MS_NOSUID, (), "size=1m,uid=1000")


def test_a_bind_with_propagation() -> None:
    wanted = check("v", {"type": "none", "device": "/srv", "o": "bind,ro,rslave"})
    assert wanted is not None
    assert wanted.flags == mount.MS_BIND | mount.MS_RDONLY
    assert wanted.propagation == (mount.MS_SLAVE | mount.MS_REC,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"foo": "x"}, 'create v: invalid option: "foo"'),
        ({"type": "tmpfs"}, 'create v: missing required option: "device"'),
        ({"device": "tmpfs"}, 'create v: missing required option: "type"'),
        ({"type": "none", "device": "relative", "o": "bind"}, "absolute path"),
        ({"type": "tmpfs", "device": "tmpfs", "o": "remount"}, "remount"),
    ],
)
def test_bad_options_are_refused_in_dockers_words(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        check("v", options)


def test_what_needs_a_helper_program_is_refused_by_name() -> None:
    with pytest.raises(NotSupported, match="volumes of type nfs are not supported"):
        check("v", {"type": "nfs", "device": ":/x", "o": "addr=10.0.0.1"})


@given(st.dictionaries(st.sampled_from(["type", "device", "o", "x"]), st.text(max_size=20)))
def test_any_options_are_a_mount_or_an_error_of_ours(options: dict[str, str]) -> None:
    try:
        check("v", options)
    except PierError:
        return
