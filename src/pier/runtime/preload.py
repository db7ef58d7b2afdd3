"""Lays what a keeper uses close together in the spawner's memory, before anything else is loaded.

*Theory of operation*: a keeper shares the spawner's memory until it writes to a page, and using an object writes its
count of references. A keeper uses a small part of what is loaded, and where its objects lie among all the others each
costs a page of its own. So the code of the modules that a keeper runs is read first: its code, constants and names
(which are shared by whoever loads them later) fill pages that follow each other. The modules are made in their turn.
"""

import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType

# What runs in a keeper while its container does.
KEPT = (
    "pier.kernel.libc",
    "pier.kernel.fds",
    "pier.kernel.process",
    "pier.kernel.namespaces",
    "pier.kernel.faults",
    "pier.runtime.spawner",
    "pier.runtime.sync",
    "pier.runtime.slots",
    "pier.runtime.loop",
    "pier.runtime.detach",
    "pier.runtime.logfile",
    "pier.runtime.streams",
    "pier.runtime.state",
    "pier.runtime.endpoints",
    "pier.runtime.foreign_end",
    "pier.runtime.quiet",
    "pier.runtime.keeper",
    "pier.kernel.pty",
    "json.scanner",
    "json.decoder",
    "json.encoder",
)
# What these need of the standard library is made first, so that their functions are not strewn among it.
FIRST = (
    *("gc", "os", "enum", "signal", "array", "socket", "select", "ctypes", "re", "contextlib", "typing", "json"),
    *("collections.abc", "errno", "struct", "resource", "fcntl", "termios"),
)


class _Preloaded(SourceFileLoader):
    """A loader that has read its module's code already."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self.code = super().get_code(name)

    def get_code(self, _fullname: str) -> CodeType | None:
        """The code that was read ahead."""
        return self.code


class Preload:
    """A finder of the modules that were read ahead; the import system asks it first."""

    def __init__(self) -> None:
        self._specs = {name: spec for name in KEPT if (spec := _read(name))}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """What the import system asks of a finder."""
        return self._specs.pop(name, None)

    def left(self) -> tuple[str, ...]:
        """The names that nobody has asked for yet."""
        return tuple(self._specs)


def _read(name: str) -> ModuleSpec | None:
    for directory in sys.path:
        path = f"{directory}/{name.replace('.', '/')}.py"
        try:
            loader = _Preloaded(name, path)
        except OSError:
            continue
        spec = ModuleSpec(name, loader, origin=path)
        spec.has_location = True
        return spec
    return None


def run() -> Preload:
    """Read the code of what a keeper runs; to be called before other modules are loaded."""
    finder = Preload()
    sys.meta_path.insert(0, finder)
    for name in FIRST:
        __import__(name)
    return finder
