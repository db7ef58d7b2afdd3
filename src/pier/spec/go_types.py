"""Go's scalar types, as annotations on wire types: their names appear in the engine's error texts and their ranges
bound what a client may send. `spec/go_json.py` reads them; a type checker sees plain `int`, `str` and `list`.
"""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class GoType:
    """A Go type by the name that `encoding/json` prints; `minimum` and `maximum` bound integers.

    `one_or_many` marks Docker's StrSlice, which takes a string where a list is meant.
    """

    name: str
    minimum: int | None = None
    maximum: int | None = None
    one_or_many: bool = False


Int = Annotated[int, GoType("int", -(2**63), 2**63 - 1)]
Int64 = Annotated[int, GoType("int64", -(2**63), 2**63 - 1)]
Uint = Annotated[int, GoType("uint", 0, 2**64 - 1)]
Uint16 = Annotated[int, GoType("uint16", 0, 2**16 - 1)]
Uint64 = Annotated[int, GoType("uint64", 0, 2**64 - 1)]
Duration = Annotated[int, GoType("time.Duration", -(2**63), 2**63 - 1)]
StrSlice = Annotated[list[str] | None, GoType("strslice.StrSlice", one_or_many=True)]
MountType = Annotated[str, GoType("mount.Type")]
FileMode = Annotated[int, GoType("fs.FileMode", 0, 2**32 - 1)]
