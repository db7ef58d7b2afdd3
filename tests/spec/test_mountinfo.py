"""The table of mounts: what the kernel escapes, and what it leaves as it is."""

import os

from hypothesis import given
from hypothesis import strategies as st

from pier.spec import mountinfo
from pier.spec.mountinfo import Line

ESCAPES = {ord(character): f"\\{ord(character):03o}" for character in " \t\n#\\"}


def line(point: str, tags: str = "", kind: str = "ext4") -> bytes:
    """A line as the kernel writes it."""
    return os.fsencode(f"36 35 98:0 /mnt1 {point.translate(ESCAPES)} rw,noatime {tags}- {kind} /dev/root rw\n")


def test_points_are_unescaped_and_keep_their_letters() -> None:
    table = line("/mnt/a b", "shared:7 master:3 ") + line("/mnt/Бэкап")
    assert list(mountinfo.parse(table)) == [
        Line("/mnt/a b", "ext4", ("shared:7", "master:3")),
        Line("/mnt/Бэкап", "ext4", ()),
    ]


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_every_name_comes_back(name: bytes) -> None:
    point = "/" + os.fsdecode(name)
    assert [found.point for found in mountinfo.parse(line(point))] == [point]


@given(st.binary() | st.lists(st.sampled_from([b"-", b"x", b"\\777", b"\xff"])).map(b" ".join))
def test_any_text_is_lines_or_none(table: bytes) -> None:
    assert all(isinstance(found, Line) for found in mountinfo.parse(table))
