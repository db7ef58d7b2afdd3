"""Archives that Hypothesis makes: sensible ones give the tree of GNU tar, broken ones a refusal and nothing else;
neither ever touches what lies outside.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pier.spec.errors import InvalidParameter
from pier.store import trees
from tests.images.conftest import Unpack
from tests.images.oracle import tree_of, unpacked_by_tar
from tests.images.tars import BLOCK, Entry, tar

pytestmark = pytest.mark.root

_EXAMPLES = 10_000 if os.environ.get("PIER_ROUNDS") == "full" else 200
_CASES = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=_EXAMPLES == 200,  # the same ones in each quick run; others in each full one
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
_COMPONENT = st.sampled_from([b"a", b"b", b"c", b"d\xff", b"e f"])
_NAMES = st.lists(_COMPONENT, min_size=1, max_size=3).map(b"/".join)
_TARGETS = st.one_of(_NAMES, st.sampled_from([b"..", b"/etc", b"../outside", b"a/../../outside", b"/proc/self/root"]))
_OWNERS = st.one_of(st.sampled_from([0, 1000, 65534]), st.integers(0, 0o7777777))
_ATTRIBUTES = st.dictionaries(
    st.sampled_from([b"SCHILY.xattr.user.a", b"SCHILY.xattr.user.b"]), st.binary(min_size=1, max_size=20), max_size=2
)
_TIME = st.tuples(st.integers(0, 1_700_000_000), st.integers(0, 999_999_999)).map(lambda two: b"%d.%09d" % two)


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from([b"0", b"0", b"5", b"5", b"2", b"1", b"6", b"3"]))
    pax = {b"mtime": draw(_TIME)} if draw(st.booleans()) else {}
    if kind == b"0":
        pax |= draw(_ATTRIBUTES)
    return Entry(
        draw(_NAMES),
        draw(st.binary(max_size=1500)) if kind == b"0" else b"",
        kind,
        mode=draw(st.integers(0, 0o7777)) & (0o5777 if kind == b"5" else 0o7777),  # GNU tar forgets S_ISGID of these
        uid=draw(_OWNERS),
        gid=draw(_OWNERS),
        link=draw(_TARGETS if kind == b"2" else _NAMES) if kind in (b"1", b"2") else b"",
        mtime=draw(st.integers(0, 1_700_000_000)),
        device=(1, 3) if kind == b"3" else (0, 0),
        pax=pax,
    )


_ARCHIVES = st.lists(_entries(), min_size=1, max_size=8)
_PACK = st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
_CUT, _FLIP, _FIELD, _SWAP = "cut", "flip", "field", "swap"


def _emptied(place: Path) -> None:
    for name in os.listdir(place):
        path = place / name
        if path.is_dir() and not path.is_symlink():
            trees.remove(path)
        else:
            path.unlink()


@_CASES
@given(entries=_ARCHIVES)
def test_a_sensible_archive_gives_the_tree_of_gnu_tar(
    entries: list[Entry], canary: Path, unpack: Unpack, tree: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(exist_ok=True)
    _emptied(tree)
    _emptied(theirs)
    archive = tar(*entries)
    started_ns = time.time_ns() - 10_000_000
    accepted = unpacked_by_tar(archive, theirs)
    try:
        unpack(archive)
    except InvalidParameter:
        event("refused")
        assert not accepted
        return
    accepted = accepted and not _confuses_gnu_tar(entries)
    event("compared" if accepted else "not comparable")
    if accepted:
        ours = tree_of(tree, started_ns=started_ns, directory_times=False)
        assert ours == tree_of(theirs, started_ns=started_ns, directory_times=False)
    if not _ambiguous(entries):
        for entry in entries:
            if entry.kind == b"5":
                assert os.lstat(os.path.join(os.fsencode(tree), entry.name)).st_mtime_ns == _mtime(entry)


def _ambiguous(entries: list[Entry]) -> bool:
    """Whether something may have two names, or lose its place to another."""
    names = {entry.name for entry in entries}
    flat = [entry.name + b"/" for entry in entries if entry.kind != b"5"]
    covered = any(name.startswith(prefix) for name in names for prefix in flat)
    return covered or len(names) < len(entries) or bool(_links(entries))


def _mtime(entry: Entry) -> int:
    stated = entry.pax.get(b"mtime", b"%d" % entry.mtime)
    seconds, _, fraction = stated.partition(b".")
    return int(seconds) * 1_000_000_000 + int(fraction or b"0")


def _links(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind == b"2"]


def _confuses_gnu_tar(entries: list[Entry]) -> bool:
    """GNU tar makes links that may lead out last of all, over whatever a later entry put in their place."""
    outward = [entry for entry in _links(entries) if entry.link.startswith(b"/") or b".." in entry.link]
    repeated = len({entry.name for entry in entries}) < len(entries)
    return bool(outward) and (repeated or len(_links(entries)) > 1)


@_CASES
@given(entries=_ARCHIVES, pack=_PACK, data=st.data())
def test_a_broken_archive_is_refused_or_harmless(
    entries: list[Entry], pack: type[bytes], data: st.DataObject, canary: Path, unpack: Unpack, tree: Path
) -> None:
    _emptied(tree)
    with contextlib.suppress(InvalidParameter):
        unpack(_broken(pack(tar(*entries)), data))


def _broken(archive: bytes, data: st.DataObject) -> bytes:
    """The archive after an accident: cut, bytes changed, a field overwritten, blocks in another order."""
    accident = data.draw(st.sampled_from([_CUT, _FLIP, _FIELD, _SWAP]))
    place = data.draw(st.integers(0, len(archive) - 1))
    if accident == _CUT:
        return archive[:place]
    if accident == _SWAP:
        blocks = [archive[start : start + BLOCK] for start in range(0, len(archive), BLOCK)]
        return b"".join(data.draw(st.permutations(blocks[:40]))) + b"".join(blocks[40:])
    size = 1 if accident == _FLIP else data.draw(st.integers(2, 12))
    patch = data.draw(st.binary(min_size=size, max_size=size))
    return archive[:place] + patch + archive[place + size :]
