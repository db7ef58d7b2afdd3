"""`pier port`: where the ports of a container are on the host."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed


def _address(binding: dict[str, Any]) -> str:
    host = binding["HostIp"]
    return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"


def _order(entry: tuple[str, str]) -> tuple[int, str, str]:
    port, protocol = entry[0].split("/")
    return int(port), protocol, entry[1]


def run(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """All ports, or one."""
    container = cli.client.get(path(arguments[0], "json"))
    ports: dict[str, list[dict[str, Any]] | None] = container["NetworkSettings"].get("Ports") or {}
    if len(arguments) == 1:
        entries = [(port, _address(binding)) for port, bindings in ports.items() for binding in bindings or []]
        for port, address in sorted(entries, key=_order):
            cli.out(f"{port} -> {address}")
        return
    number, _, protocol = arguments[1].partition("/")
    if not number.isdecimal():
        raise Failure(f'Error: invalid port ({arguments[1]}): strconv.ParseUint: parsing "{number}": invalid syntax')
    bindings = ports.get(f"{number}/{protocol or 'tcp'}") or []
    if not bindings:
        raise Failure(f"Error: No public port '{arguments[1]}' published for {arguments[0]}")
    for address in sorted(_address(binding) for binding in bindings):
        cli.out(address)


DEFINITIONS = {"container port": Definition("CONTAINER [PRIVATE_PORT[/PROTO]]", run, least=1, most=2)}
