"""JSON as Go's encoding/json reads and prints it, so that clients of Docker see the same behaviour and the same texts.

*Theory of operation*: `decode` parses with msgspec into plain objects, then walks them by the wire type: null leaves
the zero value, keys match in any case, unknown keys are dropped, integers have Go's ranges. A plan (`_Shape`) is made
once per type. `to_builtins` is the way back, leaving out the fields that Docker marks `omitempty`.
"""

import functools
import json
import types
import typing
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from pier.spec.errors import InvalidParameter
from pier.spec.go_syntax import syntax_error
from pier.spec.go_types import GoType

_T = TypeVar("_T")
_Convert = Callable[[Any, "_Place"], Any]

# fields that Docker prints only when they are set (`json:",omitempty"`), by wire type and name
OMIT_EMPTY: dict[str, frozenset[str]] = {
    "ContainerConfig": frozenset(
        {
            "ExposedPorts",
            "Healthcheck",
            "ArgsEscaped",
            "NetworkDisabled",
            "MacAddress",
            "StopSignal",
            "StopTimeout",
            "Shell",
        }
    ),
    "HostConfig": frozenset(
        {
            "Annotations",
            "StorageOpt",
            "Tmpfs",
            "Sysctls",
            "Runtime",
            "Mounts",
            "Init",
            "KernelMemory",
            "KernelMemoryTCP",
        }
    ),
    "ExecConfig": frozenset({"ConsoleSize", "User", "WorkingDir", "DetachKeys", "Env"}),
}
OMIT_EMPTY["CreateRequest"] = OMIT_EMPTY["ContainerConfig"]
OMIT_EMPTY["UpdateConfig"] = OMIT_EMPTY["HostConfig"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: the wire type's name and the path of keys, as Go's error shows them."""

    owner: str
    path: str

    def below(self, key: str) -> "_Place":
        return _Place(self.owner, f"{self.path}.{key}" if self.path else key)

    def fail(self, value: object, go_name: str) -> InvalidParameter:
        where = f"field {self.owner}.{self.path}" if self.path else "value"
        return InvalidParameter(
            f"json: cannot unmarshal {_kind(value)} into Go {'struct ' if self.path else ''}{where} of type {go_name}"
        )


def decode(body: bytes, wire_type: type[_T]) -> _T:
    """The body as `wire_type`; InvalidParameter in the words of Docker («invalid JSON: …») for anything else."""
    if not body.strip():
        raise InvalidParameter("invalid JSON: got EOF while reading request body")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _lenient(body)
    try:
        return convert(value, wire_type)
    except InvalidParameter as error:
        raise InvalidParameter(f"invalid JSON: {error.message}") from None


def _lenient(body: bytes) -> Any:
    """What Go takes and a strict decoder does not: invalid UTF-8 and lone surrogates, which become U+FFFD."""
    problem = syntax_error(body)
    if problem:
        raise InvalidParameter(problem)
    try:
        text = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
        # surrogates of a pair meet here, lone ones are replaced
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        raise InvalidParameter("invalid JSON: exceeded max depth") from None


def convert(value: Any, wire_type: type[_T]) -> _T:
    """A decoded JSON value as `wire_type`, by Go's rules."""
    shape = _converter(typing.cast(Hashable, wire_type))
    if value is None:
        return wire_type()
    return typing.cast(_T, shape(value, _Place(wire_type.__name__, "")))


def to_builtins(value: msgspec.Struct) -> dict[str, Any]:
    """The wire value as plain JSON objects, without what Docker leaves out when it is empty."""
    omitted = OMIT_EMPTY.get(type(value).__name__, frozenset())
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {name: item for name, item in plain.items() if item not in (None, "", 0, [], {}) or name not in omitted}


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "number"


def _number(value: object) -> str:
    return f"number {value}" if isinstance(value, int | float) and not isinstance(value, bool) else _kind(value)


@functools.cache
def _converter(hint: Hashable) -> _Convert:
    """The conversion for a type hint; made once, then reused."""
    go_type, hint = _unwrap(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [item for item in typing.get_args(hint) if item is not type(None)]
        return _strings_or_one if go_type and go_type.one_or_many else _converter(inner[0])
    if origin is list:
        return _list(_converter(typing.get_args(hint)[0]), typing.get_args(hint)[0])
    if origin is dict:
        return _map(_converter(typing.get_args(hint)[1]), typing.get_args(hint)[1])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _struct(hint)
    if hint is Any:
        return lambda value, _place: value
    return _scalar(typing.cast(type, hint), go_type)


def _unwrap(hint: Any) -> tuple[GoType | None, Any]:
    """A hint without Annotated, and the Go type that was noted there."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *notes = typing.get_args(hint)
        return next((note for note in notes if isinstance(note, GoType)), None), inner
    return None, hint


def _go_name(hint: Any) -> str:
    """How Go names the type."""
    go_type, hint = _unwrap(hint)
    if go_type:
        return go_type.name
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _go_name(next(item for item in arguments if item is not type(None)))
    if origin is list:
        return f"[]{_go_name(arguments[0])}"
    if origin is dict:
        return f"map[string]{_go_name(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return str(getattr(hint, "GO_NAME", f"container.{hint.__name__}"))
    return {str: "string", bool: "bool", int: "int"}.get(hint, "struct {}")


def _zero(hint: Any) -> Any:
    """Go's zero value, where null stands inside a list or a map."""
    _go_type, hint = _unwrap(hint)
    if hint in (str, bool, int):
        return hint()
    return hint() if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else None


def _scalar(kind: type, go_type: GoType | None) -> _Convert:
    name = _go_name(kind) if go_type is None else go_type.name
    low, high = (go_type.minimum, go_type.maximum) if go_type else (None, None)

    def convert_scalar(value: Any, place: _Place) -> Any:
        if kind is int and isinstance(value, int | float) and not isinstance(value, bool):
            fits = isinstance(value, int) and (low is None or low <= value) and (high is None or value <= high)
            if not fits:
                where = f"struct field {place.owner}.{place.path}"
                raise InvalidParameter(f"json: cannot unmarshal {_number(value)} into Go {where} of type {name}")
        elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise place.fail(value, name)
        return value

    return convert_scalar


def _strings_or_one(value: Any, place: _Place) -> Any:
    """Docker's StrSlice: a string stands for a list of one."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise place.fail(value, "string")
    if any(not isinstance(item, str | None) for item in value):
        raise place.fail(value, "string")
    return [item or "" for item in value]


def _list(convert_item: _Convert, item_hint: Any) -> _Convert:
    name = f"[]{_go_name(item_hint)}"

    def convert_list(value: Any, place: _Place) -> Any:
        if not isinstance(value, list):
            raise place.fail(value, name)
        return [_zero(item_hint) if item is None else convert_item(item, place) for item in value]

    return convert_list


def _map(convert_item: _Convert, item_hint: Any) -> _Convert:
    name = f"map[string]{_go_name(item_hint)}"

    def convert_map(value: Any, place: _Place) -> Any:
        if not isinstance(value, dict):
            raise place.fail(value, name)
        return {key: _zero(item_hint) if item is None else convert_item(item, place) for key, item in value.items()}

    return convert_map


def _struct(kind: type[msgspec.Struct]) -> _Convert:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: (field.name, _converter(hints[field.name])) for field in msgspec.structs.fields(kind)}
    folded = {key.lower(): plan for key, plan in fields.items()}
    name = str(getattr(kind, "GO_NAME", f"container.{kind.__name__}"))

    def convert_struct(value: Any, place: _Place) -> Any:
        if not isinstance(value, dict):
            raise place.fail(value, name)
        values = {}
        for key, item in value.items():
            plan = fields.get(key) or folded.get(key.lower())
            if plan is not None and item is not None:
                values[plan[0]] = plan[1](item, _Place(kind.__name__, f"{place.path}.{key}" if place.path else key))
        return kind(**values)

    return convert_struct
