"""A file system of the bench's own: ext4 with a journal, as users have it, in a file.

Without a journal ext4 looks for inodes that were not freed lately, and the removal of many files by one engine would
slow the other one down.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import run

_SIZE = 8 << 30


@contextmanager
def disk() -> Iterator[Path]:
    """A directory on a new disk; both are gone at the end."""
    place = Path(tempfile.mkdtemp(prefix="pier-disk-", dir="/var/tmp"))
    image, mounted = place / "image", place / "m"
    try:
        with image.open("wb") as content:
            content.truncate(_SIZE)
        mounted.mkdir()
        run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)]).ok()
        run(["mount", "-o", "loop", str(image), str(mounted)]).ok()
        yield mounted
    finally:
        run(["umount", "-R", "-l", str(mounted)])
        shutil.rmtree(place, ignore_errors=True)
