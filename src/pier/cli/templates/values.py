"""How Go prints the values of a template: `%v` of strings, numbers, lists, maps and structs. Pure.

JSON loses Go's types. What an object was in the daemon, a struct or a map, is told by the key that it stands under.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAPS = frozenset(
    [
        "Labels",
        "Ports",
        "Networks",
        "Volumes",
        "ExposedPorts",
        "PortBindings",
        "Options",
        "Sysctls",
        "Tmpfs",
        "Annotations",
        "DriverOpts",
        "StorageOpt",
        "Data",
        "Containers",
        "Attributes",
        "AuxiliaryAddresses",
        "Status",
        "Runtimes",
        "IndexConfigs",
    ]
)
POINTERS = frozenset(
    [
        "Health",
        "Healthcheck",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "Init",
        "IPAMConfig",
        "StopTimeout",
        "UsageData",
        "ClusterVolume",
        "Descriptor",
        "ImageManifestDescriptor",
        "Swarm",
        "CpuRealtimePeriod",
    ]
)


class Struct(dict[str, object]):
    """A JSON object that was a Go struct: printed in its order, without names."""

    def field(self, name: str) -> object:
        """A field by Go's name, which may differ from JSON's in its case; KeyError for one that is not known.

        Fields that JSON leaves out when they are empty are known by name.
        """
        if name in self:
            return self[name]
        for key in self:
            if key.lower() == name.lower() and name[:1].isupper():
                return self[key]
        if name in POINTERS:
            return None
        if name in MAPS:
            return NilMap()
        return OMITTED[name]


OMITTED: dict[str, object] = {
    "StopSignal": "",
    "MacAddress": "",
    "Runtime": "",
    "Variant": "",
    "Author": "",
    "Comment": "",
    "Shell": [],
    "OnBuild": [],
    "Mounts": [],
    "SizeRw": None,
    "SizeRootFs": None,
}


class NilList(list[object]):
    """A null that was a slice."""


class NilMap(dict[str, object]):
    """A null that was a map."""


class Row:
    """An object of Docker's formatter: fields are computed when a template asks; `type_` is its name in errors.

    `ours` names fields that Docker does not have: JSON shows them only where they have a value.
    """

    __slots__ = ("fields", "methods", "ours", "type_")

    def __init__(
        self,
        type_: str,
        fields: dict[str, Callable[[], object]],
        methods: dict[str, Callable[[str], object]] | None = None,
        *,
        ours: tuple[str, ...] = (),
    ) -> None:
        self.type_ = type_
        self.fields = fields
        self.methods = methods or {}
        self.ours = ours

    def json(self) -> dict[str, object]:
        """All fields, by name, as `{{json .}}` shows them."""
        values = {name: self.fields[name]() for name in sorted(self.fields)}
        return {name: value for name, value in values.items() if value or name not in self.ours}


def typed(value: object, key: str = "", parent: str = "") -> object:
    """Decoded JSON with Go's types guessed back, for printing."""
    if isinstance(value, dict):
        if parent == "IPAM":
            value = dict.fromkeys(("Subnet", "IPRange", "Gateway"), "") | {"AuxiliaryAddresses": None} | value
        made = {name: typed(item, name, key) for name, item in value.items()}
        return made if key in MAPS or (parent, key) == ("LogConfig", "Config") else Struct(made)
    if isinstance(value, list):
        return [typed(item, parent=parent) for item in value]
    if value is None and key and key not in POINTERS:
        return NilMap() if key in MAPS else NilList()
    return value


def show(value: object) -> str:
    """Go's `%v`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return show_float(value)
    if isinstance(value, Struct):
        return "{" + " ".join(show(item) for item in value.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(show(item) for item in value) + "]"
    if isinstance(value, Row):
        return show(value.json())
    return str(value)


def show_float(value: float) -> str:
    """Go's `%v` of a float64: the shortest form, with an exponent from 1e21."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    sign = exponent[0] if exponent[0] in "+-" else "+"
    return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').zfill(2)}"


def plain(value: object) -> object:
    """The value as JSON encodes it: nils are null again, rows are objects."""
    if isinstance(value, (NilList, NilMap)):
        return None
    if isinstance(value, Row):
        return plain(value.json())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def encode(value: object) -> str:
    """Compact JSON with the escapes of Go's encoder (`<`, `>`, `&`, U+2028, U+2029)."""
    return escaped(encode_as_is(value))


def encode_as_is(value: object) -> str:
    """Compact JSON of Go's encoder with its escaping for HTML switched off: U+2028 and U+2029 stay escaped."""
    import json  # lazily: only `json` in a format

    text = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def escaped(text: str) -> str:
    """JSON with `<`, `>` and `&` as Go escapes them for HTML."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
