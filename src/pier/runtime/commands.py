"""The commands that act on a container that is there, each a function of its arguments that returns an exit code."""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from pier.runtime import hooks
from pier.runtime.containers import Container, Store, born, end_group
from pier.runtime.steps import Failure
from pier.runtime.sync import Message
from pier.spec.errors import Conflict, InvalidParameter, StartFailed, SystemFailure

Arguments = argparse.Namespace


def start(arguments: Arguments) -> int:
    """Start the program of a created container."""
    container = Store(arguments.root).find(arguments.id)
    if (status := container.status()) != "created":
        raise Conflict(_NOT_STARTED[status])
    if failed := container.start():
        raise StartFailed(f"unable to start container process: {failed}", 1)
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    _hooks_after(config, "poststart", container.state())
    return 0


_NOT_STARTED = {
    "stopped": "cannot start a container that has stopped",
    "running": "cannot start an already running container",
    "paused": "cannot start a container that is paused",
}


def kill(arguments: Arguments) -> int:
    """Send a signal to a container's init, or to all its processes."""
    container = Store(arguments.root).find(arguments.id)
    number = _signal(arguments.rest[0] if arguments.rest else "SIGTERM")
    if container.status() == "stopped" and not arguments.all:
        raise Conflict("container not running")
    for pid in container.group().processes() if arguments.all else [container.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return 0


def _signal(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return int(signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"])
    except KeyError:
        raise InvalidParameter(f"unknown signal {json.dumps(name)}") from None


def delete(arguments: Arguments) -> int:
    """Remove a container that has ended; with `--force` any."""
    store = Store(arguments.root)
    try:
        container = store.find(arguments.id)
    except Exception:
        if arguments.force:
            return 0
        raise
    status = container.status()
    if status != "stopped" and not arguments.force:
        if status != "created":
            raise Conflict(f"cannot delete container {container.id} that is not stopped: {status}")
        os.kill(container.pid, signal.SIGKILL)
    end(store, container)
    return 0


def end(store: Store, container: Container) -> None:
    """Kill what is left of a container, run its last hooks, forget it."""
    end_group(container.cgroup)
    _await_end(container)
    try:
        config = json.loads(Path(container.bundle, "config.json").read_bytes())
    except (OSError, ValueError):
        config = {}  # the bundle is gone already
    _hooks_after(config, "poststop", container.state())
    store.forget(container.id)


def _await_end(container: Container) -> None:
    if born(container.pid) == container.born:
        with contextlib.suppress(ProcessLookupError):
            os.kill(container.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while born(container.pid) == container.born:
        if time.monotonic() > deadline:
            raise SystemFailure(f"container {container.id} does not end")
        time.sleep(0.002)


def pause(arguments: Arguments) -> int:
    """Freeze every process."""
    container = Store(arguments.root).find(arguments.id)
    if container.status() not in ("created", "running"):
        raise Conflict("container not running")
    container.group().freeze()
    return 0


def resume(arguments: Arguments) -> int:
    """Let the frozen processes run."""
    container = Store(arguments.root).find(arguments.id)
    if container.status() != "paused":
        raise Conflict("container not paused")
    container.group().thaw()
    return 0


def _hooks_after(config: Message, point: str, state: Message) -> None:
    """Run hooks whose failure changes nothing any more: it is told on standard error."""
    for hook in (config.get("hooks") or {}).get(point) or []:
        try:
            hooks.run((hook,), state)
        except Failure as failure:
            print(f"{point} hook: {failure.message}", file=sys.stderr)
