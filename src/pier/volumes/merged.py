"""An image's layers as one tree, read-only and attached nowhere: it goes with its descriptor, whatever happens.

Kernels from 6.7 on take one layer after the other (`lowerdir+`). Before, all share one option of 255 bytes, so the
layers are named by their descriptors' numbers from inside /proc/thread-self/fd, and more than sixty are merged in two
steps.
"""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pier.kernel.mount import fsconfig, fsmount, fsopen
from pier.kernel.threads import own_working_directory

_STEP = 50  # layers in one option: numbers of up to four digits and their colons stay under 255 bytes


@contextmanager
def merged_root(lowers: Sequence[Path]) -> Iterator[int]:
    """Give a directory descriptor of the layers (lowest first) as one tree. Raises OSError."""
    with ExitStack() as held:
        layers = [_opened(held, os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) for path in lowers]
        if len(layers) == 1:
            yield _opened(held, os.open(f"/proc/self/fd/{layers[0]}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            return
        try:
            mount = _opened(held, _by_steps(layers))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            mount = _opened(held, _by_numbers(layers, held))
        yield mount


def _opened(held: ExitStack, descriptor: int) -> int:
    held.callback(os.close, descriptor)
    return descriptor


def _by_steps(layers: Sequence[int]) -> int:
    return _mounted([("lowerdir+", f"/proc/self/fd/{layer}") for layer in reversed(layers)])


def _by_numbers(layers: Sequence[int], held: ExitStack) -> int:
    """In a thread with a working directory of its own: the process's stays where it is."""
    outcome: list[int | OSError] = []

    def work() -> None:
        try:
            own_working_directory("/proc/thread-self/fd")
            outcome.append(_merged_in_steps(list(layers), held))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="merge")
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _merged_in_steps(layers: list[int], held: ExitStack) -> int:
    while len(layers) > _STEP:
        layers = [_opened(held, _numbered(layers[:_STEP])), *layers[_STEP:]]
    return _numbered(layers)


def _numbered(layers: Sequence[int]) -> int:
    return _mounted([("lowerdir", ":".join(str(layer) for layer in reversed(layers)))])


def _mounted(options: Sequence[tuple[str, str]]) -> int:
    context = fsopen("overlay")
    try:
        for key, value in options:
            fsconfig(context, key, value)
    except BaseException:
        os.close(context)
        raise
    return fsmount(context)
