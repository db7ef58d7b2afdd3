"""The only place that builds objects: from settings to a running engine, and the order in which it is taken apart."""

import asyncio
import os
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pier.daemon import runtimes
from pier.daemon.settings import Settings
from pier.daemon.spawning import cgroup_parent, instance_of, is_default
from pier.engine.about import About
from pier.engine.containers import Containers
from pier.engine.engine import Engine
from pier.engine.events import Events
from pier.engine.execs import Execs
from pier.engine.images import Images as ImageService
from pier.engine.networks import Networks as NetworkService
from pier.engine.news import News
from pier.engine.oci.facts import Settings as ContainerSettings
from pier.engine.offload import Offload
from pier.engine.parts import Parts
from pier.engine.pending import Attachments
from pier.engine.projection import Projection
from pier.engine.pulling import Pulling
from pier.engine.reconcile import Reconcile
from pier.engine.system import System
from pier.engine.volumes import Volumes as VolumeService
from pier.images.images import Images
from pier.network.networks import Networks, Options
from pier.network.pools import DEFAULT_POOLS
from pier.runtime import facts
from pier.runtime.launch import Launcher
from pier.spec.containers import Ulimit
from pier.spec.errors import InvalidParameter
from pier.store.layout import Layout
from pier.store.records import Put, Records
from pier.volumes.volumes import Volumes

_INIT_BINARIES = ("docker-init", "tini-static", "tini")
_SEARCHED = ("/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/libexec/docker")


@dataclass(frozen=True)
class Machine:
    """A built engine and what must be closed after it."""

    engine: Engine
    records: Records
    networks: Networks

    async def close(self) -> None:
        """Let go of the host. Containers, their keepers and their network go on."""
        await self.engine.close()
        self.networks.close()
        self.engine.parts.images.close()
        self.records.close()


async def build(settings: Settings, layout: Layout, launching: "asyncio.Task[Launcher]") -> Machine:
    """Build the engine on a data root that this process holds. Raises PierError; what was opened is closed then."""
    instance = instance_of(layout.root)
    undo: list[Callable[[], object]] = []
    try:
        records = Records.open(layout.records)
        undo.append(records.close)
        networks = Networks(records, _network_options(settings, layout, instance), now=now, random_hex=random_hex)
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(networks.start)
            images = Images(records, layout)
            images.sweep()
            volumes = Volumes(records, layout.volumes, now=now, random_hex=random_hex)
            about = describe(settings, instance, engine_id(records))
            started.result()
        undo.append(networks.close)
        launcher = await launching
        parts = _parts(settings, layout, records, images, networks, volumes, launcher)
        machine = Machine(_engine(parts, about), records, networks)
        await machine.engine.reconcile.run()
    except BaseException:
        await (await launching).close()
        for step in reversed(undo):
            step()
        raise
    return machine


def _engine(parts: Parts, about: About) -> Engine:
    projection = Projection(parts.store)
    containers = Containers(projection, parts)
    images = ImageService(parts, projection, Pulling(parts, about))
    volumes = VolumeService(parts, projection)
    return Engine(
        containers=containers,
        execs=Execs(projection, parts),
        images=images,
        volumes=volumes,
        networks=NetworkService(parts, projection),
        events=parts.events,
        system=System(parts, projection, about, images, volumes),
        parts=parts,
        projection=projection,
        reconcile=Reconcile(projection, parts, containers),
    )


def _parts(
    settings: Settings,
    layout: Layout,
    records: Records,
    images: Images,
    networks: Networks,
    volumes: Volumes,
    launcher: Launcher,
) -> Parts:
    events = Events()
    return Parts(
        layout=layout,
        exec_root=settings.exec_root,
        cgroup_parent=cgroup_parent(layout.root),
        store=records,
        images=images,
        networks=networks,
        volumes=volumes,
        launcher=launcher,
        events=events,
        news=News(events),
        offload=Offload(),
        attachments=Attachments(),
        host=facts.read(),
        settings=container_settings(settings),
        init_path=init_binary(settings),
        dns=settings.dns,
        dns_search=settings.dns_search,
        dns_options=settings.dns_options,
    )


def _network_options(settings: Settings, layout: Layout, instance: str) -> Options:
    return Options(
        instance=instance,
        leases=layout.root / "leases",
        bridge=settings.bridge,
        bip=settings.bip,
        default_root=is_default(layout.root),
        mtu=settings.mtu,
        icc=settings.icc,
        ip=settings.ip,
        pools=settings.address_pools or DEFAULT_POOLS,
    )


def container_settings(settings: Settings) -> ContainerSettings:
    """What the engine is told of the settings."""
    return ContainerSettings(
        shm_size=settings.default_shm_size,
        ipc_mode=settings.default_ipc_mode,
        cgroupns_mode=settings.default_cgroupns_mode,
        no_new_privileges=settings.no_new_privileges,
        init=settings.init,
        seccomp_profile=seccomp_profile(settings.seccomp_profile),
        ulimits=tuple(Ulimit(name, hard, soft) for name, (soft, hard) in settings.default_ulimits.items()),
        default_log_driver=settings.log_driver,
        log_options=dict(settings.log_options),
        stop_timeout=settings.default_stop_timeout,
        runtimes=runtimes.table(settings.runtimes),
        default_runtime=settings.default_runtime,
    )


def with_runtimes(kept: ContainerSettings, settings: Settings) -> ContainerSettings:
    """The engine's settings after a reload: of them only the runtimes can change."""
    return msgspec.structs.replace(
        kept, runtimes=runtimes.table(settings.runtimes), default_runtime=settings.default_runtime
    )


def describe(settings: Settings, instance: str, identity: str) -> About:
    """What `/info` says of the daemon; made anew when the configuration was reloaded."""
    return About(
        id=identity,
        instance=instance,
        data_root=settings.data_root,
        exec_root=settings.exec_root,
        labels=settings.labels,
        mirrors=settings.registry_mirrors,
        insecure_registries=settings.insecure_registries,
        downloads=settings.max_concurrent_downloads,
        uploads=settings.max_concurrent_uploads,
        download_attempts=settings.max_download_attempts,
        debug=settings.debug,
        init_binary=Path(init_binary(settings)).name,
        seccomp_profile=settings.seccomp_profile,
        address_pools=tuple((str(pool.base), pool.size) for pool in settings.address_pools),
    )


def engine_id(records: Records) -> str:
    """The identity that a data root keeps for good."""
    stored = records.load("engine").get("id")
    if stored:
        return stored.decode()
    identity = str(uuid.uuid4())
    records.write(Put("engine", "id", identity.encode())).result()
    return identity


def init_binary(settings: Settings) -> str:
    """The program of `--init`: the one asked for, else the host's tini; empty when there is none."""
    if settings.init_path:
        if not os.access(settings.init_path, os.X_OK):
            raise InvalidParameter(f"invalid --init-path: {settings.init_path} is no program")
        return settings.init_path
    found = (f"{directory}/{name}" for name in _INIT_BINARIES for directory in _SEARCHED)
    return next((path for path in found if os.access(path, os.X_OK)), "")


def seccomp_profile(setting: str) -> str:
    """The text of the default profile: "" for the built-in one, "unconfined", or what a file holds."""
    if setting in ("", "builtin", "unconfined"):
        return "" if setting == "builtin" else setting
    try:
        return Path(setting).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"opening seccomp profile ({setting}) failed: {error}") from None


def now() -> str:
    """This moment as RFC 3339 text."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def random_hex(digits: int) -> str:
    """That many hexadecimal digits."""
    return secrets.token_hex((digits + 1) // 2)[:digits]
