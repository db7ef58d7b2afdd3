"""The steps that hide paths of the kernel's file systems from a container, or make them read-only."""

import os
import stat

from pier.kernel import mount as m
from pier.kernel import openat2
from pier.runtime.steps import Failure, Stage, Step


class Mask(Step):
    """Hide paths: a file behind the null device, a directory behind an empty, read-only tmpfs; absent ones are left."""

    paths: tuple[str, ...]

    def context(self) -> str:
        return "can't mask path"

    def apply(self, stage: Stage) -> None:
        null = _null(stage)
        empty = -1
        try:
            for path in self.paths:
                target = _existing(stage, path)
                if target < 0:
                    continue
                try:
                    if not stat.S_ISDIR(os.fstat(target).st_mode):
                        _cover(null, target)
                    elif empty < 0:
                        empty = m.mounted("tmpfs", (("source", "tmpfs"),), m.MOUNT_ATTR_RDONLY)
                        m.move_mount(empty, target)
                    else:
                        _cover(empty, target)
                finally:
                    os.close(target)
        finally:
            os.close(null)
            if empty >= 0:
                os.close(empty)


class ReadOnly(Step):
    """Make paths read-only: a read-only copy of the mount over itself; absent ones are left."""

    paths: tuple[str, ...]

    def context(self) -> str:
        return "can't make path read-only"

    def apply(self, stage: Stage) -> None:
        for path in self.paths:
            target = _existing(stage, path)
            if target < 0:
                continue
            try:
                copy = m.open_tree(target, recursive=True)
                m.mount_setattr(copy, set_=m.MOUNT_ATTR_RDONLY, recursive=True)
                m.move_mount(copy, target)
                os.close(copy)
            finally:
                os.close(target)


def _existing(stage: Stage, path: str) -> int:
    try:
        return openat2.open_in_root(stage.root, path)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _null(stage: Stage) -> int:
    """The null device's place, after a look that it is that device (CVE-2025-31133)."""
    null = openat2.openat2(stage.root, "dev/null", os.O_PATH | os.O_NOFOLLOW)
    status = os.fstat(null)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        os.close(null)
        raise Failure("can't mask path: /dev/null is not the null device")
    return null


def _cover(place: int, target: int) -> None:
    """Mount a copy of what is at `place` over `target`. The place is attached: Linux before 6.15 copies no other."""
    copy = m.open_tree(place)
    try:
        m.move_mount(copy, target)
    finally:
        os.close(copy)
