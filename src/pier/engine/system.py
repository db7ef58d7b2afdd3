"""The daemon itself as a service: what it and its host are (`/info`, `/version`), and what takes room on the disk."""

import asyncio
import ipaddress
import threading
import time
from datetime import UTC, datetime
from typing import Any

from pier import __version__
from pier.engine import host_info
from pier.engine.about import About
from pier.engine.images import Images
from pier.engine.oci.facts import Settings
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.sizes import Sizes
from pier.engine.summary import summarise
from pier.engine.volumes import Volumes

Json = dict[str, Any]
_INDEX = "https://index.docker.io/v1/"


class System:
    """Answers about the daemon. `about` is what a reload replaces."""

    def __init__(self, parts: Parts, projection: Projection, about: About, images: Images, volumes: Volumes) -> None:
        self._parts = parts
        self._images = images
        self._volumes = volumes
        self._projection = projection
        self.about = about

    async def info(self) -> Json:
        """The whole of `GET /info`."""
        disk = await self._parts.offload.run(self._of_disk)
        return {**self._counts(), **disk, **self._features(), **self._host(), **self._registries(), **self._rest()}

    def version(self, api_version: str, minimum: str) -> Json:
        """The whole of `GET /version`."""
        architecture, kernel = self._parts.host.architecture, host_info.kernel_version()
        details = {
            "ApiVersion": api_version,
            "Arch": architecture,
            "BuildTime": "",
            "Experimental": "false",
            "GitCommit": "",
            "GoVersion": host_info.python_version(),
            "KernelVersion": kernel,
            "MinAPIVersion": minimum,
            "Os": "linux",
        }
        runtime = {"Name": "pier-runtime", "Version": __version__, "Details": {"GitCommit": ""}}
        return {
            "Platform": {"Name": "Pier"},
            "Components": [{"Name": "Engine", "Version": __version__, "Details": details}, runtime],
            "Version": __version__,
            "ApiVersion": api_version,
            "MinAPIVersion": minimum,
            "GitCommit": "",
            "GoVersion": host_info.python_version(),
            "Os": "linux",
            "Arch": architecture,
            "KernelVersion": kernel,
            "BuildTime": "",
        }

    async def disk_usage(self, kinds: frozenset[str]) -> Json:
        """`GET /system/df`, of the kinds asked for: container, image, volume, build-cache."""
        document: Json = {"LayersSize": 0, "Images": None, "Containers": None, "Volumes": None, "BuildCache": None}
        if "image" in kinds:
            document["LayersSize"], document["Images"] = await self._images.usage()
        if "container" in kinds:
            document["Containers"] = await self._containers()
        if "volume" in kinds:
            document["Volumes"] = await self._volumes.usage()
        if "build-cache" in kinds:
            document["BuildCache"] = []
        return document | {"BuilderSize": 0}

    async def _containers(self) -> list[Json]:
        records = [container.record for container in self._projection]
        sizes = await Sizes(self._parts).of(records)
        now = time.time_ns()
        return [summarise(record, record.config.Image, now, sizes.get(record.id)) for record in records]

    def name(self) -> str:
        """The host's name, as events of the daemon carry it."""
        return host_info.name()

    def _counts(self) -> Json:
        states = [container.state.status for container in self._projection]
        paused = states.count("paused")
        running = states.count("running") + states.count("restarting")
        return {
            "ID": self.about.id,
            "Containers": len(states),
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": len(states) - running - paused,
            "Images": len(self._parts.images.list()),
        }

    def _of_disk(self) -> Json:
        """In a thread: what has to be looked up in files."""
        system, system_version = host_info.operating_system()
        return {
            "Driver": "overlay2",
            "DriverStatus": [
                ["Backing Filesystem", host_info.filesystem_of(self.about.data_root)],
                ["Supports d_type", "true"],
                ["Using metacopy", "false"],
                ["Native Overlay Diff", "true"],
                ["userxattr", "false"],
            ],
            "OperatingSystem": system,
            "OSVersion": system_version,
            "NFd": host_info.open_descriptors(),
        }

    def _features(self) -> Json:
        host, has = self._parts.host, self._parts.host.controllers
        return {
            "Plugins": {
                "Volume": ["local"],
                "Network": ["bridge", "host", "null"],
                "Authorization": None,
                "Log": sorted(self._parts.settings.log_drivers - {"none"}),
            },
            "MemoryLimit": "memory" in has,
            "SwapLimit": "memory.swap" in has,
            "KernelMemoryTCP": "memory.kernel_tcp" in has,
            "CpuCfsPeriod": "cpu.cfs" in has,
            "CpuCfsQuota": "cpu.cfs" in has,
            "CPUShares": "cpu.shares" in has,
            "CPUSet": "cpuset" in has,
            "PidsLimit": "pids" in has,
            "IPv4Forwarding": host.ipv4_forwarding,
            "OomKillDisable": "memory.oom_control" in has,
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": str(host.cgroup_version),
        }

    def _host(self) -> Json:
        host = self._parts.host
        return {
            "Debug": self.about.debug,
            "NGoroutines": len(asyncio.all_tasks()) + threading.active_count(),
            "SystemTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "000Z"),
            "LoggingDriver": self._parts.settings.default_log_driver,
            "NEventsListener": self._parts.events.listeners,
            "KernelVersion": host_info.kernel_version(),
            "OSType": "linux",
            "Architecture": host_info.machine(),
            "NCPU": host.processors,
            "MemTotal": host.memory,
            "GenericResources": None,
            "DockerRootDir": str(self.about.data_root),
            "HttpProxy": host_info.environment("HTTP_PROXY"),
            "HttpsProxy": host_info.environment("HTTPS_PROXY"),
            "NoProxy": host_info.environment("NO_PROXY"),
            "Name": host_info.name(),
            "Labels": list(self.about.labels),
        }

    def _registries(self) -> Json:
        ranges, names = _split(self.about.insecure_registries)
        mirrors = [mirror for mirror in self.about.mirrors if "=" not in mirror]
        hub = {"Name": "docker.io", "Mirrors": mirrors, "Secure": True, "Official": True}
        others: dict[str, Any] = {
            name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False} for name in names
        }
        for name, _, mirror in (mirror.partition("=") for mirror in self.about.mirrors if "=" in mirror):
            others.setdefault(name, {"Name": name, "Mirrors": [], "Secure": True, "Official": False})
            others[name]["Mirrors"].append(mirror)
        return {
            "IndexServerAddress": _INDEX,
            "RegistryConfig": {
                "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", *ranges],
                "IndexConfigs": {"docker.io": hub, **others},
                "Mirrors": mirrors,
            },
        }

    def _rest(self) -> Json:
        about, nothing = self.about, {"ID": ""}
        return {
            "ExperimentalBuild": False,
            "ServerVersion": __version__,
            "Runtimes": _runtimes(self._parts.settings),
            "DefaultRuntime": self._parts.settings.default_runtime,
            "Swarm": {
                "NodeID": "",
                "NodeAddr": "",
                "LocalNodeState": "inactive",
                "ControlAvailable": False,
                "Error": "",
                "RemoteManagers": None,
            },
            "LiveRestoreEnabled": True,
            "Isolation": "",
            "InitBinary": about.init_binary,
            "ContainerdCommit": nothing,
            "RuncCommit": nothing,
            "InitCommit": nothing,
            "SecurityOptions": self._security(),
            "FirewallBackend": {"Driver": "nftables"},
            "CDISpecDirs": [],
            "Warnings": self._warnings() or None,
            **self._pools(),
            "Pier": {"Instance": about.instance, "ExecRoot": str(about.exec_root), "Bridge": about.bridge},
        }

    def _pools(self) -> Json:
        """Docker leaves the field out unless somebody set pools."""
        pools = [{"Base": base, "Size": size} for base, size in self.about.address_pools]
        return {"DefaultAddressPools": pools} if pools else {}

    def _security(self) -> list[str]:
        host = self._parts.host
        profile = self.about.seccomp_profile or "builtin"
        options = ["name=apparmor"] if host.apparmor else []
        options += [] if profile == "unconfined" else [f"name=seccomp,profile={profile}"]
        options += ["name=cgroupns"] if host.cgroup_version == 2 else []
        return options

    def _warnings(self) -> list[str]:
        """Docker's sentences about what the host cannot limit."""
        has = self._parts.host.controllers
        wanted = {
            "memory": "No memory limit support",
            "memory.swap": "No swap limit support",
            "cpu.cfs": "No cpu cfs quota support",
            "cpu.shares": "No cpu shares support",
            "cpuset": "No cpuset support",
            "pids": "No pids limit support",
        }
        words = [f"WARNING: {sentence}" for name, sentence in wanted.items() if name not in has]
        return words if self._parts.host.ipv4_forwarding else [*words, "WARNING: IPv4 forwarding is disabled"]


def _split(registries: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Insecure registries: those that are ranges of addresses, and those that are names."""
    ranges: list[str] = []
    names: list[str] = []
    for registry in registries:
        (ranges if _is_range(registry) else names).append(registry)
    return ranges, names


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _runtimes(settings: Settings) -> Json:
    """The runtimes by name, as Docker lists them."""
    return {
        name: {"path": runtime.path, "runtimeArgs": list(runtime.arguments)} if runtime else {"path": name}
        for name, runtime in sorted(settings.runtimes.items())
    }
