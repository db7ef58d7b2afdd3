"""The types of `run`'s flags that are checked while flags are read, in Docker's words. Pure."""

from __future__ import annotations

from pier.cli.output import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pier.cli.values import Value

RATE = (
    "invalid rate for device: {raw}. The correct format is <device-path>:<number>[<unit>]. "
    "Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
)
OPERATIONS = (
    "invalid rate for device: {raw}. The correct format is <device-path>:<number>. Number must be a positive integer"
)
SYSCTLS = frozenset(("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax"))
MORE_SYSCTLS = frozenset(("kernel.shmmni", "kernel.shm_rmid_forced"))


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    import _socket as socket  # the client has it already

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
            return True
        except (OSError, ValueError):
            continue
    return False


def host(raw: str) -> list[str]:
    """`name:address` or `name=address`."""
    name, mark, address = raw.partition("=")
    if not mark or ":" in name:
        name, mark, address = raw.partition(":")
    if not mark or not name:
        raise ValueError(f'bad format for add-host: "{raw}"')
    address = address.removeprefix("[").removesuffix("]")
    if address != "host-gateway" and not is_address(address):
        raise ValueError(f'invalid IP address in add-host: "{address}"')
    return [f"{name}:{address}"]


def variable(raw: str) -> list[str]:
    """`NAME=value`, or `NAME` for the value that it has here."""
    name, mark, _ = raw.partition("=")
    if not name:
        raise ValueError(f"invalid environment variable: {raw}")
    return [raw if mark else inherited(raw)]


def inherited(name: str) -> str:
    """`NAME=value` from our environment, or the bare name, which removes it."""
    import os

    return f"{name}={os.environ[name]}" if name in os.environ else name


def label(raw: str) -> list[str]:
    """A label needs a name."""
    if not raw.partition("=")[0].strip():
        raise ValueError(f"invalid label '{raw}': empty name")
    return [raw]


def link(raw: str) -> list[str]:
    """`container[:alias]`."""
    if not raw:
        raise ValueError("empty string specified for links")
    if raw.count(":") > 1:
        raise ValueError(f"bad format for links: {raw}")
    name, mark, alias = raw.partition(":")
    return [f"{name}:{alias}" if mark else f"{name}:{name}"]


def address(raw: str) -> list[str]:
    """An address of a name server."""
    if not is_address(raw.strip()):
        raise ValueError(f"IP address is not correctly formatted: {raw}")
    return [raw.strip()]


def domain(raw: str) -> list[str]:
    """A search domain; `.` stands for none."""
    name = raw.strip()
    if name == ".":
        return [name]
    labels = name.removesuffix(".").split(".")
    fine = all(part and part.replace("-", "").replace("_", "").isalnum() and part.isascii() for part in labels)
    if not fine or len(name) > 255 or not any(letter.isalpha() for letter in name):
        raise ValueError(f"{raw} is not a valid domain")
    return [name]


def rule(raw: str) -> list[str]:
    """`c 1:3 rwm`: type, major:minor, access."""
    parts = raw.split(" ")
    numbers = parts[1].split(":") if len(parts) == 3 else []
    fine = len(numbers) == 2 and all(number == "*" or number.isdecimal() for number in numbers)
    if not fine or parts[0] not in ("a", "b", "c") or not 1 <= len(parts[2]) <= 3 or parts[2].strip("rwm"):
        raise ValueError(f"invalid device cgroup format '{raw}'")
    return [raw]


def _device(raw: str) -> tuple[str, str]:
    path, mark, value = raw.partition(":")
    if not mark or not path:
        raise ValueError(f"bad format: {raw}")
    if not path.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {raw}")
    return path, value


def bps(raw: str) -> list[str]:
    """`/dev/sda:1mb`, kept as `path:bytes`."""
    path, value = _device(raw)
    try:
        rate = units.ram_in_bytes(value)
    except ValueError:
        raise ValueError(RATE.format(raw=raw)) from None
    return [f"{path}:{rate}"]


def iops(raw: str) -> list[str]:
    """`/dev/sda:1000`."""
    path, value = _device(raw)
    if not value.isdecimal():
        raise ValueError(OPERATIONS.format(raw=raw))
    return [f"{path}:{int(value)}"]


def weight(raw: str) -> list[str]:
    """`/dev/sda:200`, 10 to 1000 or 0."""
    path, value = _device(raw)
    if not value.isdecimal() or (int(value) and not 10 <= int(value) <= 1000):
        raise ValueError(f"invalid weight for device: {raw}")
    return [f"{path}:{int(value)}"]


def sysctl(raw: str) -> list[str]:
    """A namespaced setting of the kernel, with a value."""
    name, mark, _ = raw.partition("=")
    allowed = name in SYSCTLS | MORE_SYSCTLS or name.startswith(("net.", "fs.mqueue."))
    if not mark or not allowed:
        raise ValueError(f"sysctl '{raw}' is not allowed")
    return [raw]


def mount(raw: str) -> list[str]:
    """Checked here, and kept as text."""
    from pier.cli.create.mounts import parse_mount

    parse_mount(raw)
    return [raw]


def network(raw: str) -> list[str]:
    """Checked here, and kept as text."""
    from pier.cli.create.networks import parse_network

    parse_network(raw)
    return [raw]


TYPES: dict[str, Callable[[str], Value]] = {
    "host": host,
    "variable": variable,
    "label": label,
    "link": link,
    "address": address,
    "domain": domain,
    "rule": rule,
    "bps": bps,
    "iops": iops,
    "weight": weight,
    "sysctl": sysctl,
    "mount": mount,
    "network": network,
}
