"""What a single thread can have for itself: its working directory."""

import ctypes
import os

_CLONE_FS = 0x200

_unshare = ctypes.CDLL(None, use_errno=True).unshare


def own_working_directory(path: str) -> None:
    """Part the calling thread's working directory from the process's, for good, and change it.

    For threads that end soon.
    """
    if _unshare(_CLONE_FS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare(CLONE_FS): {os.strerror(number)}")
    os.chdir(path)
