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
                if stat.S_ISDIR(os.fstat(target).st_mode):
                    if empty < 0:
                        empty = m.mounted("tmpfs", (("source", "tmpfs"),), m.MOUNT_ATTR_RDONLY)
                    _cover(empty, target)
                else:
                    _cover(null, target)
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
    """A copy of the null device's mount, after a look that it is that device (CVE-2025-31133)."""
    null = openat2.openat2(stage.root, "dev/null", os.O_PATH | os.O_NOFOLLOW)
    try:
        status = os.fstat(null)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
            raise Failure("can't mask path: /dev/null is not the null device")
        return m.open_tree(null)
    finally:
        os.close(null)


def _cover(mount: int, target: int) -> None:
    copy = m.open_tree(mount)
    try:
        m.move_mount(copy, target)
    finally:
        os.close(copy)
        os.close(target)
