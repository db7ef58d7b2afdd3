"""The creator: the process that waits beside a keeper and becomes the container's init, or an exec's program.

It makes the control group and joins namespaces, then clones the process that the container begins with, as a child of
the keeper. Everything that either needs is loaded before the creator itself is forked.
"""

import os
import signal
from typing import NamedTuple, NoReturn, cast

from pier.kernel import capabilities, cgroup, faults, fds, process
from pier.kernel.fds import Socket
from pier.runtime import quiet, slots, sync, warm
from pier.runtime.config import Config, Process
from pier.runtime.init import become
from pier.runtime.namespace_plan import Given, Host
from pier.runtime.plan import plan, plan_exec
from pier.runtime.steps import Failure, Stage


def host() -> Host:
    """The host's facts for the plan, read once by the spawner."""
    return Host(capabilities.last_capability(), cgroup.detect())


class Creator(NamedTuple):
    """What a creator is born with; `parent` is the group that its slot lies below, `oom_score` the daemon's own."""

    channel: Socket
    host: Host
    parent: str
    oom_score: str


def serve(creator: Creator) -> NoReturn:
    """Take a slot below the control group, wait for the keeper's word, become the container. Never returns."""
    channel, facts, parent, oom_score = creator
    stage: Stage | None = None
    try:
        process.keep_thread_number()
        process.set_oom_score(oom_score)
        process.set_dumpable(dumpable=False)
        process.set_parent_death_signal(signal.SIGKILL)
        slot = _slot(facts, parent)
        if not fds.has_news(channel):
            warm.rehearse(facts, container=bool(parent))
        request, descriptors = sync.receive(channel)
        if request is not None:
            if "quiet" in request:
                quiet.prepare(channel, request, descriptors)
            stage = _stage(channel, request, descriptors, slot)
            _start(stage, request, facts)
    except Failure as failure:
        _report(stage.channel if stage else channel, failure.message)
    except Exception as error:
        _report(stage.channel if stage else channel, f"{type(error).__name__}: {error}")
    finally:
        if stage:
            stage.await_creator_end()
        os._exit(1)


def _slot(facts: Host, parent: str) -> str:
    slot = slots.path(facts.layout, parent, os.getpid())
    try:
        if slot:
            slots.prepare(facts.layout, slot)
    except OSError:
        return ""  # the start itself will say what is wrong with the control groups
    return slot


def _stage(channel: Socket, request: sync.Message, descriptors: list[int], slot: str) -> Stage:
    named = list(zip(request["fds"], descriptors, strict=True))
    given = dict(named)
    stdio = [given.get(name, -1) for name in (sync.STDIN, sync.STDOUT, sync.STDERR)]
    stage = Stage(channel, stdio, given.get(sync.NETNS, -1), given.get(sync.SECCOMP, -1), tty=request["tty"])
    stage.pidfd = given.get(sync.PIDFD, -1)
    stage.starter = given.get(sync.STARTER, -1)
    stage.inputs = given[sync.INPUTS]
    stage.preserved = [descriptor for name, descriptor in named if name == sync.PRESERVED]
    stage.slot = slot
    stage.size = tuple(request["size"]) if request.get("size") else None
    return stage


def _start(stage: Stage, request: sync.Message, host_: Host) -> None:
    faults.point("creator-start")
    facts, config = sync.unpack_inputs(stage.inputs)
    if "runtime" in facts:
        from pier.runtime import foreign_stage  # the containers of other runtimes alone pay for it

        foreign_stage.start(stage, facts, config)
    circumstances = Given(facts, request["cgroup"], stage.netns >= 0, stage.seccomp >= 0, tied=not facts.get("loose"))
    os.umask(0)
    if facts.get("exec"):
        become(plan_exec(cast("Process", config), circumstances, host_), stage)
    become(plan(cast("Config", config), circumstances, host_), stage)


def _report(channel: Socket, message: str) -> None:
    try:
        sync.send(channel, {"at": "failed", "message": message[:8192]})
    except OSError:
        pass  # the keeper is gone, and with it whoever asked
