"""The flags of `pierd` as data: names, the directive of daemon.json that says the same, the kind of value, the help.

Names, kinds and directives are dockerd's, so that its unit files and daemon.json files work. What dockerd has and Pier
does not stands in `daemon/refusals.py`.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a value is written: BOOL alone needs none on the command line; LIST and MAP may be given several times."""

    TEXT = "string"
    BOOL = "bool"
    INTEGER = "int"
    SIZE = "bytes"
    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `directive`: its name in daemon.json ("" when it cannot stand there). `reloads`: SIGHUP applies it."""

    name: str
    kind: Kind
    help: str
    short: str = ""
    directive: str = ""
    reloads: bool = False


def _flag(
    name: str, kind: Kind, words: str, *, short: str = "", directive: str | None = None, reloads: bool = False
) -> Flag:
    return Flag(name, kind, words, short, name if directive is None else directive, reloads)


_T, _B, _I, _S, _L, _M = Kind.TEXT, Kind.BOOL, Kind.INTEGER, Kind.SIZE, Kind.LIST, Kind.MAP

FLAGS: tuple[Flag, ...] = (
    _flag(
        "add-runtime",
        _L,
        "Register an additional OCI compatible runtime, as name=path",
        directive="runtimes",
        reloads=True,
    ),
    _flag("bip", _T, "IPv4 address for the default bridge"),
    _flag("bridge", _T, "Attach containers to a network bridge", short="b"),
    _flag("config-file", _T, 'Daemon configuration file (default "/etc/pier/daemon.json")', directive=""),
    _flag("data-root", _T, 'Root directory of persistent state (default "/var/lib/pier")'),
    _flag("debug", _B, "Enable debug mode", short="D", reloads=True),
    _flag(
        "default-address-pool",
        _L,
        'Default address pools for networks, as "base=10.0.0.0/8,size=24"',
        directive="default-address-pools",
    ),
    _flag("default-cgroupns-mode", _T, 'Default mode for containers cgroup namespace ("host" | "private")'),
    _flag("default-ipc-mode", _T, 'Default mode for containers ipc ("shareable" | "private")'),
    _flag("default-runtime", _T, 'Default OCI runtime for containers (default "pier-runtime")', reloads=True),
    _flag("default-shm-size", _S, "Default shm size for containers (default 64MiB)"),
    _flag("default-stop-timeout", _I, "Default seconds to wait for a container to stop (default 10)"),
    _flag("default-ulimit", _L, "Default ulimits for containers", directive="default-ulimits"),
    _flag("dns", _L, "DNS server to use"),
    _flag("dns-opt", _L, "DNS options to use", directive="dns-opts"),
    _flag("dns-search", _L, "DNS search domains to use"),
    _flag("exec-root", _T, 'Root directory for execution state files (default "/run/pier")'),
    _flag("group", _T, 'Group for the unix socket (default "docker")', short="G"),
    _flag("help", _B, "Print usage", short="h", directive=""),
    _flag("host", _L, "Daemon socket(s) to connect to", short="H", directive="hosts"),
    _flag("icc", _B, "Enable inter-container communication for the default bridge network (default true)"),
    _flag("init", _B, "Run an init in the container to forward signals and reap processes"),
    _flag("init-path", _T, "Path to the init binary"),
    _flag(
        "insecure-registry", _L, "Enable insecure registry communication", directive="insecure-registries", reloads=True
    ),
    _flag("ip", _T, "Host IP for port publishing from the default bridge network (default 0.0.0.0)"),
    _flag("label", _L, "Set key=value labels to the daemon", directive="labels", reloads=True),
    _flag("log-driver", _T, 'Default driver for container logs (default "json-file")'),
    _flag("log-format", _T, 'Set the logging format ("text" | "json") (default "text")'),
    _flag("log-level", _T, 'Set the logging level ("debug" | "info" | "warn" | "error" | "fatal")', short="l"),
    _flag("log-opt", _M, "Default log driver options for containers", directive="log-opts"),
    _flag("max-concurrent-downloads", _I, "Set the max concurrent downloads (default 3)", reloads=True),
    _flag("max-concurrent-uploads", _I, "Set the max concurrent uploads (default 5)", reloads=True),
    _flag("max-download-attempts", _I, "Set the max download attempts for each pull (default 5)", reloads=True),
    _flag("mtu", _I, "Set the MTU for the default bridge network (default: that of the way out)"),
    _flag("no-new-privileges", _B, "Set no-new-privileges by default for new containers"),
    _flag("pidfile", _T, 'Path to use for daemon PID file (default "/run/pier.pid")', short="p"),
    _flag(
        "registry-mirror",
        _L,
        "Preferred registry mirror, or <registry>=<mirror>",
        directive="registry-mirrors",
        reloads=True,
    ),
    _flag("seccomp-profile", _T, 'Path to seccomp profile, or "unconfined" (default "builtin")'),
    _flag("shutdown-containers", _B, "Stop the containers when the daemon ends, as Docker did"),
    _flag("shutdown-timeout", _I, "Seconds that --shutdown-containers gives them (default 15)", reloads=True),
    _flag("validate", _B, "Validate daemon configuration and exit", directive=""),
    _flag("version", _B, "Print version information and quit", short="v", directive=""),
)

BY_NAME = {flag.name: flag for flag in FLAGS}
BY_SHORT = {flag.short: flag for flag in FLAGS if flag.short}
BY_DIRECTIVE = {flag.directive: flag for flag in FLAGS if flag.directive}


def usage() -> str:
    """The text of `--help`."""
    width = max(len(_left(flag)) for flag in FLAGS) + 3
    lines = [f"{_left(flag):<{width}}{flag.help}" for flag in FLAGS]
    return (
        "Usage:  pierd [OPTIONS]\n\nA self-sufficient runtime for containers.\n\nOptions:\n" + "\n".join(lines) + "\n"
    )


def _left(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    kind = "" if flag.kind is Kind.BOOL else f" {flag.kind.value}"
    return f"  {short}--{flag.name}{kind}"
