"""`docker stats`: one JSON object a second with the use of a container, and the use of the second before."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pier.engine.container import Container
from pier.engine.durations import timestamp
from pier.engine.parts import Parts
from pier.runtime import usage
from pier.runtime.usage import BlockUse, Usage

Json = dict[str, object]
_EMPTY_LISTS = (
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


@dataclass(frozen=True)
class Sample:
    """One look: when (ns), what the container used, what the host's processors had counted."""

    at: int = 0
    use: Usage | None = None
    host_time: int = 0


class Stats:
    """Looks at containers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def read(self, container: Container, *, stream: bool, one_shot: bool) -> AsyncIterator[Json]:
        """Samples until the container is removed; without `stream` only one, compared to one of a second before unless
        `one_shot`.
        """
        before, removed = Sample(), container.wait_for("removed")
        try:
            if not stream and not one_shot and container.state.pid:
                before = await self._look(container)
                await asyncio.wait({removed}, timeout=1)
            while True:
                sample = await self._look(container)
                yield self._shown(container, sample, before)
                before = sample
                if stream:
                    await asyncio.wait({removed}, timeout=1)
                if not stream or removed.done():
                    return
        finally:
            removed.cancel()

    async def _look(self, container: Container) -> Sample:
        pid = container.state.pid
        if not pid:
            return Sample()
        cgroup = self._parts.cgroup(container.id)
        use, host_time = await self._parts.offload.run(
            lambda: (usage.read(cgroup.layout, cgroup.path, pid), usage.host_cpu_time())
        )
        return Sample(time.time_ns(), use, host_time)

    def _shown(self, container: Container, sample: Sample, before: Sample) -> Json:
        host = self._parts.host
        return shown(container.id, container.name, sample, before, host.memory, per_cpu=host.cgroup_version == 1)


def shown(container_id: str, name: str, sample: Sample, before: Sample, memory: int, *, per_cpu: bool) -> Json:
    """A sample in Docker's JSON; zeros of every kind for a container that is not running. `memory` is the host's."""
    body: Json = {
        "read": timestamp(sample.at),
        "preread": timestamp(before.at),
        "pids_stats": _processes(sample.use),
        "blkio_stats": _block(sample.use),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(sample, per_cpu=per_cpu),
        "precpu_stats": _cpu(before, per_cpu=per_cpu),
        "memory_stats": _memory(sample.use, memory),
        "name": "/" + name,
        "id": container_id,
    }
    if sample.use is not None and sample.use.interfaces:
        body["networks"] = sample.use.interfaces
    return body


def _processes(use: Usage | None) -> Json:
    if use is None:
        return {}
    return {"current": use.processes, **({"limit": use.processes_limit} if use.processes_limit is not None else {})}


def _block(use: Usage | None) -> Json:
    octets = None if use is None else [_entry(each) for each in use.block_bytes]
    operations = None if use is None else [_entry(each) for each in use.block_operations]
    empty = None if use is None else list[Json]()
    shown_: Json = {"io_service_bytes_recursive": octets, "io_serviced_recursive": operations}
    return shown_ | dict.fromkeys(_EMPTY_LISTS, empty)


def _entry(use: BlockUse) -> Json:
    return {"major": use.major, "minor": use.minor, "op": use.operation, "value": use.value}


def _cpu(sample: Sample, *, per_cpu: bool) -> Json:
    use = sample.use or Usage()
    used: Json = {"total_usage": use.cpu_total}
    if per_cpu and use.per_cpu:
        used["percpu_usage"] = list(use.per_cpu)
    used |= {"usage_in_kernelmode": use.cpu_system, "usage_in_usermode": use.cpu_user}
    body: Json = {"cpu_usage": used}
    if sample.use is not None:
        body |= {"system_cpu_usage": sample.host_time, "online_cpus": os.cpu_count() or 1}
    throttling = {
        "periods": use.periods,
        "throttled_periods": use.throttled_periods,
        "throttled_time": use.throttled_time,
    }
    return body | {"throttling_data": throttling}


def _memory(use: Usage | None, host_memory: int) -> Json:
    if use is None:
        return {}
    body: Json = {"usage": use.memory_usage}
    if use.memory_peak is not None:
        body["max_usage"] = use.memory_peak
    body["stats"] = dict(sorted(use.memory.items()))
    if use.memory_failures:
        body["failcnt"] = use.memory_failures
    return body | {"limit": min(use.memory_limit or host_memory, host_memory)}
