"""Another OCI runtime in the built-in one's place: its command lines, the bundle it is given, and how its log is read.

Pure; `runtime/foreign_stage.py` acts. Any program with runc's command line will do: the specification leaves the
commands' flags open, and these are what containerd's shim calls.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Message = dict[str, Any]
BUILT_IN = "pier-runtime"
# A container's own directory for its runtime, below that of its keeper.
BUNDLE = "bundle"
INIT = "/sbin/docker-init"
_PROC, _ROOT = "/proc/", "/root/"


class ForeignRuntime(NamedTuple):
    """An OCI runtime that is not the built-in one: a program with runc's command line, by its path or its name in PATH.

    `arguments` come before its commands; a start, or an exec, may take it `patience` seconds.
    """

    path: str
    arguments: tuple[str, ...] = ()
    patience: float = 60.0

    def message(self) -> Message:
        """The runtime as a message's part."""
        return self._asdict()

    @classmethod
    def of(cls, message: Message) -> "ForeignRuntime":
        """The runtime of such a part."""
        return cls(message["path"], tuple(message["arguments"]), message["patience"])


# The runtimes that need no configuration; the built-in one is no program of its own.
STOCK_RUNTIMES: Mapping[str, ForeignRuntime | None] = {BUILT_IN: None, "runc": ForeignRuntime("runc")}


class Places(NamedTuple):
    """Where a foreign runtime finds and leaves things: all below one directory, which goes with its container."""

    bundle: str

    @property
    def rootfs(self) -> str:
        """Where the root is mounted, in a mount namespace of the start's own."""
        return f"{self.bundle}/rootfs"

    @property
    def config(self) -> str:
        """config.json of a container, process.json of an exec."""
        return f"{self.bundle}/config.json"

    @property
    def log(self) -> str:
        """What the runtime has to say."""
        return f"{self.bundle}/log.json"

    @property
    def pid(self) -> str:
        """The file that the runtime writes its process's number to."""
        return f"{self.bundle}/pid"

    @property
    def sources(self) -> str:
        """Copies of mounts that only another container's mount namespace gives away."""
        return f"{self.bundle}/sources"

    @property
    def state(self) -> str:
        """The runtime's own records, one directory for each container."""
        return f"{self.bundle}/state"


def command(runtime: ForeignRuntime, places: Places, state: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """A whole command line: the configured arguments come first, as in a wrapper script of Docker's."""
    common = ("--root", state, "--log", places.log, "--log-format", "json")
    return (runtime.path, *runtime.arguments, *common, *words)


def create(identity: str, places: Places, console: str) -> tuple[str, ...]:
    """The words of `create`; `console` is the socket for the terminal, or ""."""
    return ("create", "--bundle", places.bundle, *_shared(places, console), identity)


def execute(identity: str, places: Places, console: str) -> tuple[str, ...]:
    """The words of `exec`, which leaves the process to the keeper."""
    return ("exec", "--process", places.config, "--detach", *_shared(places, console), identity)


def _shared(places: Places, console: str) -> tuple[str, ...]:
    return ("--pid-file", places.pid, *(("--console-socket", console) if console else ()))


def configuration(
    config: Message,
    *,
    rootfs: str,
    group: str,
    netns: str,
    init: str,
    size: tuple[int, int] | None,
    sources: dict[int, str],
) -> Message:
    """The document that the built-in runtime gets, with what it gets beside the document written into it.

    `group` is its control group, `netns` a network namespace by its path, `init` the program to put before the
    container's own; `sources` replaces bind mounts' sources by their number.
    """
    changed = {**config, "root": {**config["root"], "path": rootfs}}
    changed["process"] = sized(config["process"], size)
    changed["mounts"] = [
        {**mount, "source": sources[number]} if number in sources else mount
        for number, mount in enumerate(config.get("mounts") or [])
    ]
    if init:
        changed["mounts"].append(
            {"destination": INIT, "type": "bind", "source": init, "options": ["bind", "ro", "private"]}
        )
        changed["process"]["args"] = [INIT, "--", *config["process"]["args"]]
    changed["linux"] = {**(config.get("linux") or {}), "cgroupsPath": group}
    if netns:
        changed["linux"]["namespaces"] = [
            {**space, "path": netns} if space["type"] == "network" else space
            for space in changed["linux"].get("namespaces") or []
        ]
    return changed


def sized(process: Message, size: tuple[int, int] | None) -> Message:
    """The process with its terminal's first size."""
    if size is None or not process.get("terminal"):
        return dict(process)
    return {**process, "consoleSize": {"height": size[0], "width": size[1]}}


def borrowed(config: Message) -> dict[int, str]:
    """The bind mounts whose source lies in another process's root, by number: runc cannot reach over."""
    found = {}
    for number, mount in enumerate(config.get("mounts") or []):
        source = str(mount.get("source", ""))
        if source.startswith(_PROC) and _ROOT in source and source.removeprefix(_PROC).partition("/")[0].isdigit():
            found[number] = source
    return found


def complaint(log: bytes, otherwise: str) -> str:
    """What a runtime that failed has to say: the last error of its log, or that there is none and why it failed."""
    for line in reversed(log.splitlines()):
        entry = _entry(line)
        if entry.get("level") in ("error", "fatal") and isinstance(message := entry.get("msg"), str) and message:
            # JSON can escape half a surrogate pair, which no answer and no record can hold
            return message[:4096].encode("utf-8", "replace").decode()
    return f"unable to retrieve OCI runtime error (no error in its log): {otherwise}"


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
