"""Several layers seen as the one tree that overlay would show, without a mount: by descriptors, no link followed.

*Theory of operation.* A directory of the result is a path and the layers whose directories merge there. A level is
read from the highest of them down: the first that has a name decides what it is, and a directory goes on gathering
those below it until a file, a whiteout or an opaque directory closes them. The trees belong to the store and nobody
writes to them. Names in a layer have at most 4,095 bytes, so that every path can be opened from its layer's root,
and only the directories of one level are open at a time.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

from pier.images import xattrs
from pier.images.walking import Found, Parts
from pier.kernel.openat2 import openat2

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry(Found):
    """What the layers show under a path. Of a directory, `layers` are those that merge into it, the highest first;
    `closed`: something in them hides what may lie under it in layers further down.
    """

    __slots__ = ("closed", "gathering", "layers")

    def __init__(self, parts: Parts, parent: int, name: bytes, status: os.stat_result, layer: int) -> None:
        super().__init__(parts, parent, name, status)
        self.layers: tuple[int, ...] = (layer,)
        self.gathering = self.is_directory
        self.closed = False


class Layered:
    """Layers by the descriptors of their roots, which stay the caller's, lowest first."""

    def __init__(self, roots: Sequence[int]) -> None:
        self.roots = roots
        self.top = tuple(range(len(roots) - 1, -1, -1))

    @contextlib.contextmanager
    def level(self, parts: Parts, layers: Sequence[int]) -> Iterator[list[Entry]]:
        """What is directly in a directory, whiteouts included, sorted; descriptors are open until the end."""
        with contextlib.ExitStack() as stack:
            found: dict[bytes, Entry] = {}
            for layer in layers:
                fd = openat2(self.roots[layer], b"/".join(parts) or b".", _DIRECTORY)
                stack.callback(os.close, fd)
                _gather(found, parts, fd, layer)
            yield [found[name] for name in sorted(found)]

    def walk(self, *, whiteouts: bool = False) -> Iterator[Entry]:
        """Everything, a directory before what is in it; whiteouts only when they are asked for."""
        waiting: list[tuple[Parts, tuple[int, ...]]] = [((), self.top)]
        while waiting:
            parts, layers = waiting.pop()
            below: list[tuple[Parts, tuple[int, ...]]] = []
            with self.level(parts, layers) as entries:
                for entry in entries:
                    if entry.is_whiteout and not whiteouts:
                        continue
                    yield entry
                    if entry.is_directory:
                        below.append((entry.parts, entry.layers))
            waiting += reversed(below)


def _gather(found: dict[bytes, Entry], parts: Parts, fd: int, layer: int) -> None:
    for name in map(os.fsencode, os.listdir(fd)):
        known = found.get(name)
        if known is not None and not known.gathering:
            continue
        entry = Entry((*parts, name), fd, name, os.stat(name, dir_fd=fd, follow_symlinks=False), layer)
        if known is None:
            found[name] = known = entry
        elif entry.is_directory:
            known.layers += (layer,)
        else:
            known.gathering, known.closed = False, True
        if entry.is_directory and _is_opaque(fd, name):
            known.gathering, known.closed = False, True


def _is_opaque(parent: int, name: bytes) -> bool:
    try:
        return os.getxattr(b"/proc/self/fd/%d/%s" % (parent, name), xattrs.OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


@contextlib.contextmanager
def opened(directory: int, names: Sequence[str]) -> Iterator[Layered]:
    """The layers of these names (`<hex>/diff`, lowest first) in the store's directory of layers."""
    with contextlib.ExitStack() as stack:
        roots: list[int] = []
        for name in names:
            roots.append(openat2(directory, name, _DIRECTORY))
            stack.callback(os.close, roots[-1])
        yield Layered(roots)
