"""Records: classes of fields, as `dataclasses` makes them, without its cost.

The spawner's heap is what every keeper and every container's start pays for in page faults; `dataclasses` would bring
the parser and the disassembler into it, and a generated method per class and purpose.
"""

from typing import Any, dataclass_transform


@dataclass_transform()
class Record:
    """A class whose annotations are its fields; class attributes are defaults. Compared and shown by value."""

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        own = tuple(name for name in cls.__dict__.get("__annotations__", {}) if name not in cls._fields)  # noqa: RUF063
        cls._fields += own

    def __init__(self, *values: Any, **named: Any) -> None:
        for name, value in zip(self._fields, values, strict=False):
            self.__dict__[name] = value
        self.__dict__.update(named)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({values})"
