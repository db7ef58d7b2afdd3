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


@contextmanager
def merged_root(lowers: Sequence[Path]) -> Iterator[int]:
    """Give a directory descriptor of the layers (lowest first) as one tree. Raises OSError."""
    with ExitStack() as held:
        layers = [_opened(held, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) for path in lowers]
        if len(layers) == 1:
            yield layers[0]
            return
        try:
            root = _one_by_one(layers)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            root = _all_at_once(layers)
        yield _opened(held, root)


def _opened(held: ExitStack, descriptor: int) -> int:
    held.callback(os.close, descriptor)
    return descriptor


def _one_by_one(layers: Sequence[int]) -> int:
    return mount.mounted("overlay", [("lowerdir+", f"/proc/self/fd/{layer}") for layer in reversed(layers)])


def _all_at_once(layers: Sequence[int]) -> int:
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            own_mounts()
            os.chdir("/proc/thread-self/fd")  # this thread's own working directory
            options = "lowerdir=" + ":".join(str(layer) for layer in reversed(layers))
            place = os.readlink(str(layers[0]))  # by name: the descriptor leads into the other mount namespace
            mount.mount("overlay", place, "overlay", mount.MS_RDONLY, options)
            outcome.append(os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="merge")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]
