"""What a single thread can have for itself: its mounts and with them its working directory."""

import ctypes
import os

from pier.kernel.mount import MS_PRIVATE, MS_REC, mount
from pier.kernel.namespaces import CLONE_NEWNS

_unshare = ctypes.CDLL(None, use_errno=True).unshare


def own_mounts() -> None:
    """Give the calling thread a mount namespace of its own, from which nothing spreads. For threads that end soon."""
    if _unshare(CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare(CLONE_NEWNS): {os.strerror(number)}")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
