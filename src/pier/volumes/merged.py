"""An image's layers as one tree, read-only and in nobody's mount table: it goes with its descriptor, whatever happens.

Kernels from 6.7 on take one layer after the other (`lowerdir+`) into a detached mount. Before, all layers share one
page of options, which only mount(2) takes: it is called by a thread with a mount namespace of its own, with the layers
named by their descriptors' numbers from inside /proc/thread-self/fd, and the namespace ends with the thread.
"""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pier.kernel import mount
from pier.kernel.threads import own_mounts

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def merged_root(lowers: Sequence[Path]) -> Iterator[int]:
    """Give a directory descriptor of the layers (lowest first) as one tree. Raises OSError."""
    if len(lowers) == 1:
        root = os.open(lowers[0], _DIRECTORY)
    else:
        try:
            root = _one_by_one(lowers)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            root = _all_at_once(lowers)
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def _opened(lowers: Sequence[Path]) -> Iterator[list[int]]:
    """Descriptors of the layers, highest first, as overlay names them."""
    with ExitStack() as held:
        layers = []
        for path in reversed(lowers):
            layers.append(os.open(path, _DIRECTORY))
            held.callback(os.close, layers[-1])
        yield layers


def _one_by_one(lowers: Sequence[Path]) -> int:
    with _opened(lowers) as layers:
        return mount.mounted("overlay", [("lowerdir+", f"/proc/self/fd/{layer}") for layer in layers])


def _all_at_once(lowers: Sequence[Path]) -> int:
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            own_mounts()
            with _opened(lowers) as layers:  # here: overlay takes only what is mounted in the thread's own namespace
                os.chdir("/proc/thread-self/fd")  # the thread's own working directory
                options = "lowerdir=" + ":".join(str(layer) for layer in layers)
                mount.mount("overlay", str(lowers[0]), "overlay", mount.MS_RDONLY, options)
            outcome.append(os.open(lowers[0], _DIRECTORY))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="merge")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]
