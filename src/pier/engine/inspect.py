"""The whole of a container in Docker's JSON (`GET /containers/{name}/json`), made of its record; pure."""

from dataclasses import dataclass
from pathlib import Path

from pier.engine.durations import timestamp
from pier.engine.endpoints import shown_endpoints, shown_ports
from pier.engine.health import Health, health_json
from pier.engine.record import Record, State
from pier.engine.summary import mount_json
from pier.spec import go_json

Json = dict[str, object]


@dataclass(frozen=True)
class Places:
    """Where a container's files lie; `lowers` are the image's layers, topmost first as Docker prints them.

    `apparmor` is the profile that it runs under; empty where the host has no AppArmor.
    """

    directory: Path
    lowers: tuple[Path, ...]
    log: str
    sandbox_key: str
    apparmor: str = ""


def inspect(
    record: Record,
    places: Places,
    execs: list[str],
    sizes: tuple[int, int] | None = None,
    health: Health | None = None,
) -> Json:
    """The answer of inspect; sizes are (writable layer, whole root) when they were asked for."""
    directory = places.directory
    body: Json = {
        "Id": record.id,
        "Created": timestamp(record.created),
        "Path": record.path,
        "Args": list(record.args),
        "State": state_json(record.state, health),
        "Image": record.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": places.log,
        "Name": "/" + record.name,
        "RestartCount": record.state.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": places.apparmor,
        "ExecIDs": execs or None,
        "HostConfig": go_json.to_builtins(record.host_config),
        "GraphDriver": _graph_driver(places),
    }
    if sizes is not None:
        body |= {"SizeRw": sizes[0], "SizeRootFs": sizes[1]}
    return body | {
        "Mounts": [mount_json(mounted) for mounted in record.mounts],
        "Config": go_json.to_builtins(record.config),
        "NetworkSettings": _network_settings(record, places),
    }


def state_json(state: State, health: Health | None = None) -> Json:
    """`State` in Docker's JSON."""
    shown: Json = {
        "Status": state.status,
        "Running": state.running,
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": timestamp(state.started_at),
        "FinishedAt": timestamp(state.finished_at),
    }
    return shown if health is None else {**shown, "Health": health_json(health)}


def _graph_driver(places: Places) -> Json:
    data = {
        "LowerDir": ":".join(str(lower) for lower in places.lowers),
        "MergedDir": str(places.directory / "merged"),
        "UpperDir": str(places.directory / "upper"),
        "WorkDir": str(places.directory / "work"),
    }
    return {"Data": data, "Name": "overlay2"}


def _network_settings(record: Record, places: Places) -> Json:
    networks = shown_endpoints(record)
    bridge = record.endpoints.get("bridge")
    return {
        "Bridge": "",
        "SandboxID": record.sandbox,
        "SandboxKey": places.sandbox_key,
        "Ports": shown_ports(record.ports),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": bridge.EndpointID if bridge else "",
        "Gateway": bridge.Gateway if bridge else "",
        "GlobalIPv6Address": bridge.GlobalIPv6Address if bridge else "",
        "GlobalIPv6PrefixLen": bridge.GlobalIPv6PrefixLen if bridge else 0,
        "IPAddress": bridge.IPAddress if bridge else "",
        "IPPrefixLen": bridge.IPPrefixLen if bridge else 0,
        "IPv6Gateway": bridge.IPv6Gateway if bridge else "",
        "MacAddress": bridge.MacAddress if bridge else "",
        "Networks": networks,
    }
