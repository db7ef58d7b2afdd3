"""The whole body of a create request, from the parsed flags of `run` or `create`."""

from __future__ import annotations

from pier.cli.create import environment, mounts, networks, ports
from pier.cli.create.host import host_config
from pier.cli.create.table import REFUSED, WINDOWS
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

TEXTS = {"hostname": "Hostname", "domainname": "Domainname", "user": "User", "workdir": "WorkingDir"}
HEALTH = {
    "health-interval": "Interval",
    "health-timeout": "Timeout",
    "health-start-period": "StartPeriod",
    "health-start-interval": "StartInterval",
    "health-retries": "Retries",
}
PULLS = ("always", "missing", "never", "")


def create_body(flags: Parsed, arguments: list[str], *, mac_in_endpoint: bool = True) -> dict[str, Any]:
    """Config, HostConfig and NetworkingConfig; Failure in Docker's words for what cannot be."""
    refuse(flags)
    body = _attachments(flags)
    body["Image"] = arguments[0]
    if len(arguments) > 1:
        body["Cmd"] = arguments[1:]
    body |= {key: flags.text(name) for name, key in TEXTS.items() if flags.text(name)}
    _mac(flags, body, mac_in_endpoint=mac_in_endpoint)
    host: dict[str, Any] = {}
    _volumes_and_ports(flags, body, host)
    host |= host_config(flags)
    body |= _process(flags)
    mode, configured = networks.endpoints(flags, mac_in_endpoint=mac_in_endpoint)
    host["NetworkMode"] = mode
    body["HostConfig"] = host
    body["NetworkingConfig"] = {"EndpointsConfig": configured}
    return body


def refuse_windows(flags: Parsed) -> None:
    """Flags for daemons on Windows are refused before anything else."""
    for name in WINDOWS:
        if flags.changed(name):
            raise Failure(
                f'"--{name}" is only supported on a Docker daemon running on windows, '
                "but the Docker daemon is running on linux"
            )


def refuse(flags: Parsed) -> None:
    """Flags that Docker has and that cannot work here are refused by name."""
    for name, reason in REFUSED.items():
        if flags.changed(name):
            raise Failure(f"--{name} is not supported: {reason}")
    if flags.changed("disable-content-trust") and not flags.on("disable-content-trust"):
        raise Failure("--disable-content-trust=false is not supported: there is no notary to ask")
    if flags.text("pull") not in PULLS:
        raise Failure(f'invalid pull option: \'{flags.text("pull")}\': must be one of "always", "missing" or "never"')


def _attachments(flags: Parsed) -> dict[str, Any]:
    attached = flags.many("attach")
    interactive = flags.on("interactive")
    stdin = interactive or "stdin" in attached
    return {
        "AttachStdin": stdin,
        "AttachStdout": not attached or "stdout" in attached,
        "AttachStderr": not attached or "stderr" in attached,
        "OpenStdin": interactive,
        "StdinOnce": interactive and stdin,
        "Tty": flags.on("tty"),
    }


def _mac(flags: Parsed, body: dict[str, Any], *, mac_in_endpoint: bool) -> None:
    mac = flags.text("mac-address").strip()
    if not mac:
        return
    parts = mac.replace("-", ":").split(":")
    if len(parts) not in (6, 8, 20) or any(len(part) != 2 or part.strip("0123456789abcdefABCDEF") for part in parts):
        raise Failure(f"{mac} is not a valid mac address")
    if not mac_in_endpoint:
        body["MacAddress"] = mac


def _volumes_and_ports(flags: Parsed, body: dict[str, Any], host: dict[str, Any]) -> None:
    _, volumes = mounts.parse_volumes(flags.many("volume"))
    if volumes:
        body["Volumes"] = volumes
    exposed, bindings = ports.parse_published(flags.many("publish"))
    exposed |= {port: {} for port in ports.parse_exposed(flags.many("expose"))}
    if exposed:
        body["ExposedPorts"] = exposed
    if bindings:
        host["PortBindings"] = bindings


def _process(flags: Parsed) -> dict[str, Any]:
    result: dict[str, Any] = {}
    variables = environment.variables(flags.many("env-file"), flags.many("env"))
    if variables:
        result["Env"] = variables
    labels = environment.labels(flags.many("label-file"), flags.many("label"))
    if labels:
        result["Labels"] = labels
    if flags.changed("entrypoint"):
        result["Entrypoint"] = [flags.text("entrypoint")]
    if flags.changed("stop-signal"):
        result["StopSignal"] = flags.text("stop-signal")
    if flags.changed("stop-timeout"):
        result["StopTimeout"] = flags.number("stop-timeout")
    health = _health(flags)
    if health:
        result["Healthcheck"] = health
    return result


def _health(flags: Parsed) -> dict[str, Any]:
    given = {name: flags.number(name) for name in HEALTH if flags.number(name)}
    command = flags.text("health-cmd")
    if flags.on("no-healthcheck"):
        if given or command:
            raise Failure("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for name, value in given.items():
        if value < 0:
            raise Failure(f"--{name} cannot be negative")
    result: dict[str, Any] = {HEALTH[name]: value for name, value in given.items()}
    if command:
        result["Test"] = ["CMD-SHELL", command]
    return result
