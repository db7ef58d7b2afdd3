"""A stopped container's root, mounted for nobody else: it is attached nowhere and goes with its descriptor."""

import os
import threading

from pier.kernel import mount as m
from pier.kernel import namespaces

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_CLONE_FS = 0x200  # a working directory and a root of its own


def private_root(lowers: tuple[str, ...], upper: str, work: str) -> int:
    """A directory descriptor of the layers (lowest first) under the writable one, which must not be mounted elsewhere.

    Raises OSError; its `filename` begins with `lowerdir+` where the kernel takes layers only by `over`.
    """
    return _readable(m.overlay(lowers, upper, work, ()))


def _readable(mount: int) -> int:
    """The root directory of a detached mount, opened to be read; the mount lives as long as it."""
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)


def over(lower: int, upper: str, work: str) -> int:
    """The same over one tree that is there as a descriptor, for kernels before 6.7. Raises OSError."""
    above = [os.open(path, _DIRECTORY) for path in (upper, work)]
    try:
        named = (f"/proc/self/fd/{descriptor}" for descriptor in (lower, *above))
        return _readable(m.mounted("overlay", zip(("lowerdir", "upperdir", "workdir"), named, strict=True)))
    finally:
        for descriptor in above:
            os.close(descriptor)


def bare_root(pid: int) -> int:
    """A copy of the root mount of a process, without what is mounted in it. Raises OSError.

    Only a thread of its own may enter another mount namespace: the process's stays where it is.
    """
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            outcome.append(_copied(pid))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="root")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _copied(pid: int) -> int:
    root = os.open(f"/proc/{pid}/root", _DIRECTORY)
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespaces.unshare(_CLONE_FS)
        namespaces.setns(namespace, namespaces.CLONE_NEWNS)
        return _readable(m.open_tree(root))
    finally:
        os.close(namespace)
        os.close(root)
