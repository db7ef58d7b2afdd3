"""The start of a container: lease and configuration in one thread, one round trip to the keeper, then the news.

*Theory of operation.* The record exists since the create and names everything a start makes (directory, cgroup,
lease), so a crash at any point leaves nothing that the next start of the daemon does not find by the id. What fails
undoes itself: the network is released, the cgroup emptied, and the state says why. The record of the running state is
written without waiting: a daemon that dies before it is durable finds the keeper alive and adopts it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pier.engine import transitions
from pier.engine.connecting import Connection, connect
from pier.engine.container import Container
from pier.engine.endpoints import disconnected, joined_container
from pier.engine.exits import Exits
from pier.engine.gathering import gather, join
from pier.engine.neighbours import Entry
from pier.engine.oci.configure import configure
from pier.engine.oci.facts import Joined
from pier.engine.oci.validate import check_runtime
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import Record, replaced
from pier.engine.start_files import log_target, make_bind_sources, wants_init, write_network_files
from pier.runtime.faults import point
from pier.runtime.foreign import ForeignRuntime
from pier.runtime.launch import Keeper, LaunchRequest, OverlayRoot
from pier.spec import runtime_config
from pier.spec.errors import Conflict, NotModified, PierError, StartFailed, SystemFailure

log = logging.getLogger("pier.engine")


@dataclass(frozen=True)
class Prepared:
    """All that a launch needs, made in a thread; `runtime` is one in the built-in one's place."""

    connection: Connection
    config: bytes
    runtime: ForeignRuntime | None = None


class Starting:
    """Starts containers. `auto_remove` is set by the wiring."""

    def __init__(self, projection: Projection, parts: Parts, exits: Exits) -> None:
        self._projection = projection
        self._parts = parts
        self._exits = exits
        self._neighbours = exits.neighbours

    async def start(self, container: Container) -> None:
        """Start for a user; `NotModified` when it runs."""
        status = container.state.status
        if status == "paused":
            raise Conflict("cannot start a paused container, try unpause instead")
        if status == "restarting":
            self._exits.call_off_restart(container)
        failure: Exception | None = None
        async with container.lock:
            self._check(container)
            try:
                await self.run(container)
            except Exception as error:
                failure = error
        if failure is not None:
            if container.record.host_config.AutoRemove:
                await self._exits.remove(container)
            raise failure

    async def start_again(self, container: Container) -> None:
        """Start by policy, after the wait of a restart."""
        async with container.lock:
            if container.state.status != "restarting":
                return
            try:
                await self.run(container, by_policy=True)
            except Exception as error:
                log.error("container %s does not start again: %s", container.id, error)
                self._exits.gave_up(container)

    def _check(self, container: Container) -> None:
        self._projection.check(container)
        if container.removal or container.state.status in ("removing", "dead"):
            raise Conflict("container is marked for removal and cannot be started")
        if container.state.running:
            raise NotModified(f"container {container.id} is already running")

    async def run(self, container: Container, *, by_policy: bool = False) -> None:
        """Start whatever the state. The caller holds the container's lock."""
        try:
            async with container.root_lock:
                keeper = await self._launch(container)
        except Exception as error:  # a defect of ours leaves as little behind as the host's refusal
            known = error if isinstance(error, PierError) else SystemFailure(f"internal error: {type(error).__name__}")
            await self._undo(container, known)
            raise
        finally:
            self._parts.attachments.drop(container)
        point("start-launched")
        container.keeper = keeper
        state = transitions.started(container.state, keeper.pid, keeper.started_at, by_policy=by_policy)
        self._projection.change(container, state)
        self._neighbours.changed(container.record)
        self._parts.news.container(container, "start")
        self._exits.watch(container, keeper)

    async def _launch(self, container: Container) -> Keeper:
        joined = join(container.record, self._projection.find)
        shares = joined_container(container.record.host_config.NetworkMode)
        files_of = self._projection.find(shares).id if shares else ""
        prepared = await self._parts.offload.run(
            self._prepare, container.record, joined, files_of, self._neighbours.of(container.record)
        )
        try:
            container.record = prepared.connection.record
            self._parts.news.networks(container.record, "connect")
            self._parts.news.mounts(container.record)
            return await self._parts.launcher.launch(self._request(container, prepared))
        finally:
            prepared.connection.close()

    def _prepare(self, record: Record, joined: Joined, files_of: str, neighbours: Sequence[Entry]) -> Prepared:
        """In a thread: everything before the launch, the lease last but one so that little is undone on an error."""
        settings = self._parts.settings
        check_runtime(record.host_config.Runtime, settings)  # a reload may have taken it away since the create
        make_bind_sources(record)
        self._acquire_volumes(record)
        facts = gather(record, self._parts, joined, files_of)
        connection = connect(record, self._parts.networks)
        try:
            write_network_files(connection.record, self._parts, neighbours)
            spec = configure(facts, self._parts.host, settings)
            point("start-prepared")
            return Prepared(connection, runtime_config.encode(spec), settings.runtimes[record.host_config.Runtime])
        except BaseException:
            connection.close()
            raise

    def _acquire_volumes(self, record: Record) -> None:
        """Volumes whose options ask for a mount are mounted while somebody uses them."""
        for mounted in record.mounts:
            if mounted.point.Type == "volume":
                self._parts.volumes.acquire(mounted.point.Name, record.id)

    def _request(self, container: Container, prepared: Prepared) -> LaunchRequest:
        record, parts = container.record, self._parts
        config, directory = record.config, parts.layout.container(record.id)
        rows, columns = (*record.host_config.ConsoleSize, 0, 0)[:2]
        return LaunchRequest(
            id=record.id,
            directory=parts.run_directory(record.id),
            config=prepared.config,
            root=OverlayRoot(
                lowers=tuple(str(parts.layout.layer(layer)) for layer in record.layers),
                upper=str(directory / "upper"),
                work=str(directory / "work"),
            ),
            cgroup=f"{parts.cgroup_parent}/{record.id}",
            log=log_target(record, directory),
            exit_path=directory / "exit.json",
            tty=config.Tty,
            open_stdin=config.OpenStdin,
            stdin_once=config.StdinOnce,
            attachments=parts.attachments.collect(container),
            netns_fd=prepared.connection.netns_fd,
            held=prepared.connection.held,
            init_binary=parts.init_path or None if wants_init(record, parts.settings) else None,
            size=(rows, columns) if rows and columns else None,
            runtime=prepared.runtime,
        )

    async def _undo(self, container: Container, error: PierError) -> None:
        """Leave nothing of a start that failed, and show why in the state."""
        code = error.code if isinstance(error, StartFailed) and error.code != 125 else 128
        was_connected = container.record.sandbox != ""
        try:
            await self._parts.offload.run(self._clean_up, container.record)
        except PierError as failure:  # the client is to hear why the start failed
            log.error("cleaning up after container %s: %s", container.id, failure)
        if was_connected:
            self._parts.news.networks(container.record, "disconnect")
        record = container.record
        container.record = replaced(record, endpoints=disconnected(record.endpoints), ports={}, sandbox="")
        self._projection.change(container, transitions.failed_to_start(container.state, code, error.message))

    def _clean_up(self, record: Record) -> None:
        self._parts.empty_cgroup(record.id)
        self._parts.give_back(record)
