"""The configuration of a container as a whole: Docker's posture by default, and what each wish changes."""

import msgspec
import pytest

from pier.engine.oci.configure import configure
from pier.engine.oci.facts import Attached, DeviceNode, Joined
from pier.engine.oci.processes import exec_process
from pier.spec import runtime_config
from pier.spec.capabilities import DEFAULT
from pier.spec.containers import DeviceMapping, ExecConfig, Mount, ThrottleDevice, Ulimit
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Namespace, Rlimit, Spec, User
from tests.engine.oci.facts import HOST, SETTINGS, facts


def spec(config: dict[str, object] | None = None, **host_config: object) -> Spec:
    return configure(facts(config, host_config), HOST, SETTINGS)


def mount(document: Spec, destination: str) -> runtime_config.Mount:
    return next(mount for mount in document.mounts if mount.destination == destination)


def kinds(document: Spec) -> set[str]:
    assert document.linux
    return {namespace.type for namespace in document.linux.namespaces}


def test_the_default_is_dockers_posture() -> None:
    document = spec()
    assert document.process
    assert document.linux
    capabilities = document.process.capabilities
    assert capabilities
    assert capabilities.bounding == capabilities.permitted == capabilities.effective == DEFAULT
    assert capabilities.inheritable == capabilities.ambient == ()
    assert kinds(document) == {"mount", "network", "uts", "pid", "ipc"}
    assert len(document.linux.masked_paths) == 12 + 2
    assert "/sys/devices/system/cpu/cpu1/thermal_throttle" in document.linux.masked_paths
    assert len(document.linux.readonly_paths) == 5
    assert document.linux.seccomp
    assert not document.process.no_new_privileges
    assert document.linux.sysctl == {
        "net.ipv4.ping_group_range": "0 2147483647",
        "net.ipv4.ip_unprivileged_port_start": "0",
    }


def test_mounts_are_dockers_in_dockers_order() -> None:
    document = spec()
    assert [entry.destination for entry in document.mounts] == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
        "/etc/resolv.conf",
        "/etc/hostname",
        "/etc/hosts",
    ]
    assert mount(document, "/sys").options == ("nosuid", "noexec", "nodev", "ro")
    assert mount(document, "/dev/shm").options == ("nosuid", "noexec", "nodev", "mode=1777", "size=67108864")


def test_the_program_runs_as_its_user_with_dockers_environment() -> None:
    process = spec({"User": "app", "Tty": True, "Env": ["PATH=/bin", "A=1", "TERM"], "WorkingDir": "/w"}).process
    assert process
    assert process.user == User(uid=1000, gid=1001, additional_gids=(1001, 10, 44))
    assert process.env == ("PATH=/bin", "HOSTNAME=box", "A=1", "HOME=/home/app")
    assert process.args == ("sh", "-c", "true")
    assert (process.cwd, process.terminal) == ("/w", True)
    assert process.capabilities
    assert (process.capabilities.bounding, process.capabilities.effective) == (DEFAULT, ())


def test_a_home_of_the_image_stays() -> None:
    process = spec({"Env": ["HOME=/x"]}).process
    assert process
    assert process.env[-1] == "HOME=/x"


def test_privileged_takes_the_guards_away_and_keeps_to_what_the_host_has() -> None:
    node = DeviceNode(path="/dev/sda", type="b", major=8, minor=0)
    document = configure(facts(host_config={"Privileged": True}, host_devices=(node,)), HOST, SETTINGS)
    assert document.linux
    assert document.process
    assert document.process.capabilities
    assert set(document.process.capabilities.bounding) == HOST.capabilities
    assert (document.linux.masked_paths, document.linux.readonly_paths, document.linux.seccomp) == ((), (), None)
    assert "ro" not in mount(document, "/sys").options
    assert "ro" not in mount(document, "/sys/fs/cgroup").options
    assert [device.path for device in document.linux.devices] == ["/dev/sda"]
    assert document.linux.resources
    assert [(rule.allow, rule.type) for rule in document.linux.resources.devices] == [(True, "")]


def test_namespaces_of_the_host_and_of_others() -> None:
    document = spec(NetworkMode="host", PidMode="host", IpcMode="host", UTSMode="host", CgroupnsMode="private")
    assert kinds(document) == {"mount", "cgroup"}
    assert document.hostname == ""
    assert mount(document, "/dev/shm").source == "/dev/shm"
    assert document.linux
    assert document.linux.sysctl == {}
    joined = Joined(network="/proc/7/ns/net", ipc="/proc/7/ns/ipc", pid="/proc/7/ns/pid", shm="/proc/7/root/dev/shm")
    modes = dict.fromkeys(("NetworkMode", "IpcMode", "PidMode"), "container:x")
    document = configure(facts(host_config=modes, joined=joined), HOST, SETTINGS)
    assert document.linux
    assert Namespace(type="network", path="/proc/7/ns/net") in document.linux.namespaces
    assert Namespace(type="pid", path="/proc/7/ns/pid") in document.linux.namespaces
    assert mount(document, "/dev/shm").source == "/proc/7/root/dev/shm"


def test_ipc_none_has_no_shared_memory() -> None:
    assert not [entry for entry in spec(IpcMode="none").mounts if entry.destination == "/dev/shm"]


def test_a_read_only_root_leaves_the_programs_own_places_writable() -> None:
    document = spec(ReadonlyRootfs=True)
    assert document.root
    assert document.root.readonly
    assert "ro" in mount(document, "/etc/hosts").options
    assert "ro" not in mount(document, "/dev/shm").options


def test_user_mounts_come_parents_first_and_replace_the_defaults() -> None:
    attached = (
        Attached(type="bind", destination="/a/b", source="/x", writable=False),
        Attached(type="volume", destination="/a", source="/v"),
        Attached(type="bind", destination="/dev", source="/dev"),
        Attached(type="bind", destination="/etc/hosts", source="/own"),
        Attached(type="tmpfs", destination="/t", request=Mount(Type="tmpfs", Target="/t")),
    )
    document = configure(facts(mounts=attached), HOST, SETTINGS)
    destinations = [entry.destination for entry in document.mounts]
    assert destinations.index("/a") < destinations.index("/a/b")
    assert "/dev/pts" not in destinations
    assert destinations.count("/etc/hosts") == 1
    assert mount(document, "/a/b").options == ("rbind", "rro", "rprivate")
    assert mount(document, "/a").options == ("rbind", "rprivate")
    assert mount(document, "/t").options == ("noexec", "nosuid", "nodev", "rprivate")


def test_propagation_follows_the_source_or_is_refused() -> None:
    shared = (Attached(type="bind", destination="/a", source="/x", propagation="rshared"),)
    document = configure(facts(mounts=shared, shared_sources={"/x": "shared"}), HOST, SETTINGS)
    assert document.linux
    assert document.linux.rootfs_propagation == "shared"
    with pytest.raises(InvalidParameter, match="path /x is not a shared mount"):
        configure(facts(mounts=shared), HOST, SETTINGS)
    slave = (Attached(type="bind", destination="/a", source="/x", propagation="rslave"),)
    document = configure(facts(mounts=slave), HOST, SETTINGS)
    assert mount(document, "/a").options[-1] == "rprivate", "the engine's own choice falls back"
    asked = (Attached(type="bind", destination="/a", source="/x", propagation="rslave", mode="ro,rslave"),)
    with pytest.raises(InvalidParameter, match="path /x is not a shared or slave mount"):
        configure(facts(mounts=asked), HOST, SETTINGS)


def test_limits_become_oci_resources() -> None:
    given = {
        "Memory": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 0,
        "CpusetCpus": "0",
        "BlkioDeviceReadBps": [ThrottleDevice(Path="/dev/sda", Rate=5)],
    }
    document = configure(facts(host_config=given, block_devices={"/dev/sda": (8, 0)}), HOST, SETTINGS)
    assert document.linux
    resources = msgspec.to_builtins(document.linux.resources)
    assert resources["memory"] == {"limit": 64 << 20, "swap": 128 << 20, "disableOOMKiller": False}
    assert resources["cpu"] == {"quota": 50000, "period": 100000, "cpus": "0"}
    assert resources["pids"] == {"limit": -1}
    assert list(resources["blockIO"]["throttleReadBpsDevice"]) == [{"major": 8, "minor": 0, "rate": 5}]


def test_ulimits_go_over_the_daemons() -> None:
    daemon = msgspec.structs.replace(Ulimit(), Name="nofile", Soft=5, Hard=6)
    settings = type(SETTINGS)(ulimits=(daemon, Ulimit(Name="core", Soft=0, Hard=-1)))
    process = configure(facts(host_config={"Ulimits": [Ulimit(Name="nofile", Soft=7, Hard=8)]}), HOST, settings).process
    assert process
    assert Rlimit(type="RLIMIT_NOFILE", soft=7, hard=8) in process.rlimits
    assert Rlimit(type="RLIMIT_CORE", soft=0, hard=2**64 - 1) in process.rlimits


def test_devices_are_made_and_allowed() -> None:
    mapping = DeviceMapping(PathOnHost="/dev/fuse", PathInContainer="/dev/f", CgroupPermissions="rw")
    node = DeviceNode(path="/dev/fuse", type="c", major=10, minor=229, mode=0o600)
    given = {"Devices": [mapping], "DeviceCgroupRules": ["c 7:* rmw"]}
    document = configure(facts(host_config=given, devices={"/dev/fuse": (node,)}), HOST, SETTINGS)
    assert document.linux
    assert document.linux.resources
    assert [(device.path, device.file_mode) for device in document.linux.devices] == [("/dev/f", 0o600)]
    rules = [(rule.allow, rule.type, rule.major, rule.minor, rule.access) for rule in document.linux.resources.devices]
    assert rules[0] == (False, "", None, None, "rwm")
    assert rules[-3:] == [(False, "c", 10, 229, "rwm"), (True, "c", 10, 229, "rw"), (True, "c", 7, None, "rmw")]


def test_a_device_directory_keeps_its_shape() -> None:
    mapping = DeviceMapping(PathOnHost="/dev/snd", PathInContainer="/dev/sound")
    node = DeviceNode(path="/dev/snd/pcm", type="c", major=116, minor=2)
    document = configure(facts(host_config={"Devices": [mapping]}, devices={"/dev/snd": (node,)}), HOST, SETTINGS)
    assert document.linux
    assert [device.path for device in document.linux.devices] == ["/dev/sound/pcm"]


def test_a_missing_device_is_named() -> None:
    with pytest.raises(InvalidParameter, match='adding custom device "/dev/nope": no such file or directory'):
        spec(Devices=[DeviceMapping(PathOnHost="/dev/nope")])


def test_unmasked_paths_and_security_options() -> None:
    document = spec(MaskedPaths=[], ReadonlyPaths=["/proc/x"], SecurityOpt=["no-new-privileges", "seccomp=unconfined"])
    assert document.linux
    assert document.process
    assert (document.linux.masked_paths, document.linux.readonly_paths) == ((), ("/proc/x",))
    assert document.linux.seccomp is None
    assert document.process.no_new_privileges


def test_an_exec_inherits_and_changes() -> None:
    container = facts({"User": "app", "Env": ["A=1"], "WorkingDir": "/w"}, {"CapDrop": ["CHOWN"]})
    plain = exec_process(container, ExecConfig(Cmd=["id"], Env=["A=2", "B=3"]), HOST, SETTINGS)
    assert plain.user.uid == 1000
    assert plain.cwd == "/w"
    assert {"A=2", "B=3", "HOME=/home/app"} <= set(plain.env)
    assert plain.capabilities
    assert "CAP_CHOWN" not in plain.capabilities.bounding
    root = exec_process(
        container, ExecConfig(Cmd=["id"], User="0", Privileged=True, Tty=True, ConsoleSize=[24, 80]), HOST, SETTINGS
    )
    assert root.capabilities
    assert set(root.capabilities.effective) == HOST.capabilities
    assert root.console_size == runtime_config.ConsoleSize(height=24, width=80)
    with pytest.raises(InvalidParameter, match="No exec command specified"):
        exec_process(container, ExecConfig(), HOST, SETTINGS)


def test_the_document_round_trips() -> None:
    document = spec({"User": "app"}, Memory=64 << 20)
    assert runtime_config.decode(runtime_config.encode(document)) == document
