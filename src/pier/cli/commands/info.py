"""`pier info`: the daemon and its host at a glance."""

from __future__ import annotations

import os
import sys

from pier import __version__
from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.output import units
from pier.cli.report import describe
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = "-f, --format string   @format-inspect\n"


def run(cli: Cli, flags: Parsed, _arguments: list[str]) -> int:
    """Print it, or the client's part and the error when there is no daemon."""
    problem: PierError | None = None
    info: dict[str, Any] = {}
    try:
        info = cli.client.get("/info")
    except PierError as error:
        problem = error
    form = flags.text("format")
    client = _client(cli)
    if form:
        from pier.cli.output import formats
        from pier.cli.templates.values import typed

        problems = {"ServerErrors": [describe(problem)]} if problem else {}
        formats.show_object(form, typed({**info, **problems, "ClientInfo": client}))
        return 1 if problem else 0
    lines = ["Client:", f" Version:    {__version__}", f" Context:    {client['Context']}"]
    lines += [" Debug Mode: false", "", "Server:"]
    lines += server(info) if problem is None else []
    sys.stdout.write("\n".join(lines) + "\n" + ("" if problem else "\n"))
    for warning in info.get("Warnings") or []:
        cli.error(warning)
    if problem is not None:
        raise Failure(f"{describe(problem)}\nerrors pretty printing info")
    return 0


def _client(cli: Cli) -> dict[str, Any]:
    from pier.client.contexts import context_name

    name = context_name(cli.choice, os.environ, cli.configuration)
    return {"Debug": False, "Version": __version__, "Context": name, "Plugins": [], "Warnings": None}


def _flag(value: object) -> str:
    return "true" if value else "false"


def server(info: dict[str, Any]) -> list[str]:
    """The lines about the daemon."""
    lines = [
        f" Containers: {info['Containers']}",
        f"  Running: {info['ContainersRunning']}",
        f"  Paused: {info['ContainersPaused']}",
        f"  Stopped: {info['ContainersStopped']}",
        f" Images: {info['Images']}",
        f" Server Version: {info['ServerVersion']}",
        f" Storage Driver: {info['Driver']}",
    ]
    lines += [f"  {name}: {value}" for name, value in info.get("DriverStatus") or []]
    lines += [f" {name}: {value}" for name, value in info.get("SystemStatus") or []]
    lines += _line("Logging Driver", info.get("LoggingDriver"))
    lines += _line("Cgroup Driver", info.get("CgroupDriver"))
    lines += _line("Cgroup Version", info.get("CgroupVersion"))
    lines += _plugins(info.get("Plugins") or {})
    lines.append(f" Swarm: {(info.get('Swarm') or {}).get('LocalNodeState', 'inactive')}")
    lines += _runtimes(info)
    lines += _security(info.get("SecurityOptions") or [])
    lines += _host(info)
    return lines + _daemon(info)


def _line(title: str, value: object) -> list[str]:
    return [f" {title}: {value}"] if value else []


def _plugins(plugins: dict[str, Any]) -> list[str]:
    lines = [" Plugins:"]
    for kind in ("Volume", "Network", "Authorization", "Log"):
        if plugins.get(kind) or kind in ("Volume", "Network", "Log"):
            lines.append(f"  {kind}: {' '.join(plugins.get(kind) or [])}")
    return lines


def _runtimes(info: dict[str, Any]) -> list[str]:
    lines = []
    if info.get("Runtimes"):
        lines.append(f" Runtimes: {' '.join(sorted(info['Runtimes']))}")
        lines.append(f" Default Runtime: {info.get('DefaultRuntime', '')}")
    if info.get("OSType") == "linux":
        lines.append(f" Init Binary: {info.get('InitBinary', '')}")
        commits = (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit"))
        lines += [f" {name} version: {(info.get(key) or {}).get('ID', '')}" for name, key in commits]
    return lines


def _security(options: list[str]) -> list[str]:
    lines = [" Security Options:"] if options else []
    for option in options:
        pairs = [part.partition("=") for part in option.split(",")]
        name = next((value for key, _, value in pairs if key == "name"), option)
        lines.append(f"  {name}")
        lines += [f"   {key.capitalize()}: {value}" for key, _, value in pairs if key not in ("name", "") and value]
    return lines


def _host(info: dict[str, Any]) -> list[str]:
    return [
        f" Kernel Version: {info.get('KernelVersion', '')}",
        f" Operating System: {info.get('OperatingSystem', '')}",
        f" OSType: {info.get('OSType', '')}",
        f" Architecture: {info.get('Architecture', '')}",
        f" CPUs: {info.get('NCPU', 0)}",
        f" Total Memory: {units.bytes_size(info.get('MemTotal') or 0)}",
        f" Name: {info.get('Name', '')}",
        f" ID: {info.get('ID', '')}",
        f" Docker Root Dir: {info.get('DockerRootDir', '')}",
        f" Debug Mode: {_flag(info.get('Debug'))}",
    ]


def _daemon(info: dict[str, Any]) -> list[str]:
    lines = []
    if info.get("Debug"):
        pairs = (("File Descriptors", "NFd"), ("Goroutines", "NGoroutines"), ("System Time", "SystemTime"))
        lines += [f"  {title}: {info.get(key, '')}" for title, key in pairs]
        lines.append(f"  EventsListeners: {info.get('NEventsListener', 0)}")
    for title, key in (("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")):
        lines += _line(title, info.get(key))
    if info.get("Labels"):
        lines += [" Labels:", *(f"  {label}" for label in info["Labels"])]
    lines.append(f" Experimental: {_flag(info.get('ExperimentalBuild'))}")
    registry = info.get("RegistryConfig") or {}
    insecure = [name for name, one in (registry.get("IndexConfigs") or {}).items() if not one.get("Secure", True)]
    insecure = sorted(insecure) + (registry.get("InsecureRegistryCIDRs") or [])
    if insecure:
        lines += [" Insecure Registries:", *(f"  {name}" for name in insecure)]
    if registry.get("Mirrors"):
        lines += [" Registry Mirrors:", *(f"  {mirror}" for mirror in registry["Mirrors"])]
    lines.append(f" Live Restore Enabled: {_flag(info.get('LiveRestoreEnabled'))}")
    lines += _line("Product License", info.get("ProductLicense"))
    pools = info.get("DefaultAddressPools") or []
    if pools:
        lines += [" Default Address Pools:", *(f"   Base: {pool['Base']}, Size: {pool['Size']}" for pool in pools)]
    return lines


DEFINITIONS = {"system info": Definition("[OPTIONS]", run, flags=FLAGS, most=0)}
