"""Past escapes that the configuration of a container keeps shut; each test carries the ids of its row."""

import resource
from pathlib import Path
from typing import Any

import pytest

from pier.engine.oci.configure import configure
from pier.engine.oci.identity import resolve
from pier.engine.oci.network_files import hostname, hosts, resolv_conf
from pier.engine.oci.processes import exec_process
from pier.engine.oci.validate import validate
from pier.runtime import accounts, devices
from pier.runtime.accounts import Accounts
from pier.runtime.seccomp import compile_filter
from pier.spec import image_config
from pier.spec.capabilities import DEFAULT
from pier.spec.containers import CreateRequest, ExecConfig, HostConfig
from pier.spec.errors import InvalidParameter, NotSupported
from pier.spec.seccomp_profile import default_profile
from tests.engine.oci.facts import HOST, SETTINGS, facts
from tests.runtime.bpf import ALLOW, ERRNO, DeviceMachine, verdict

OVERFLOWING = ["2147483648", "4294967295", "4294967296", "18446744073709551616", "-1", "0x0", "0 ", " 0", "+0", "-0"]


def refused(**host_config: Any) -> str:
    with pytest.raises(InvalidParameter) as raised:
        validate(CreateRequest(Image="x", HostConfig=HostConfig(**host_config)), HOST, SETTINGS)
    return raised.value.message


def test_cve_2016_3697_a_numeric_user_is_never_a_name_of_the_image() -> None:
    identity = resolve("1000", None, Accounts(b"1000:x:0:0::/:/bin/sh\n", b""))
    assert (identity.uid, identity.gid) == (1000, 0)


@pytest.mark.parametrize("user", OVERFLOWING)
def test_cve_2024_40635_cve_2026_46680_ids_out_of_range_never_become_root(user: str) -> None:
    for spelled in (user, f"1:{user}"):
        with pytest.raises(InvalidParameter):
            resolve(spelled, None, Accounts(b"root:x:0:0::/:\n", b"root:x:0:\n"))


def test_cve_2024_40635_ids_of_the_images_files_are_bounded_too() -> None:
    for line in (b"app:x:4294967296:0::/:", b"app:x:0:4294967296::/:", b"app:x:99999999999999999999999:0::/:"):
        with pytest.raises(InvalidParameter, match="must be in range"):
            resolve("app", None, Accounts(line, b""))


@pytest.mark.parametrize("user", ["", "app", "app:wheel", "7:8"])
def test_cve_2022_36109_the_primary_group_is_among_the_supplementary(user: str) -> None:
    process = configure(facts({"User": user}), HOST, SETTINGS).process
    assert process
    assert process.user.gid in process.user.additional_gids


@pytest.mark.parametrize("privileged", [False, True])
@pytest.mark.parametrize("user", ["", "app"])
def test_cve_2022_24769_inheritable_and_ambient_sets_are_empty(user: str, *, privileged: bool) -> None:
    container = facts({"User": user}, {"Privileged": privileged, "CapAdd": ["NET_ADMIN"]})
    started = configure(container, HOST, SETTINGS).process
    executed = exec_process(container, ExecConfig(Cmd=["x"], Privileged=privileged), HOST, SETTINGS)
    for process in (started, executed):
        assert process
        assert process.capabilities
        assert process.capabilities.inheritable == process.capabilities.ambient == ()


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "a\rb", "a\x1bb"])
def test_cve_2022_4318_no_value_breaks_a_line_of_a_file(text: str) -> None:
    with pytest.raises(InvalidParameter):
        validate(CreateRequest(Image="x", Hostname=text), HOST, SETTINGS)
    assert refused(ExtraHosts=[f"{text}:1.2.3.4"])
    assert refused(DnsSearch=[text])
    assert refused(DnsOptions=[text])
    for write in (
        lambda: hostname(text),
        lambda: hosts(text, addresses=["1.2.3.4"]),
        lambda: hosts("box", extra=[f"{text}:1.2.3.4"]),
        lambda: resolv_conf("", search=[text]),
    ):
        with pytest.raises(InvalidParameter):
            write()


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_cve_2026_47262_cve_2025_4437_huge_account_files_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc").mkdir()
    with open(tmp_path / "etc" / name, "wb") as file:
        file.truncate(8 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidParameter, match="larger than"):
        accounts.read((str(tmp_path),))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10


def test_cve_2026_47262_a_line_of_a_million_members_is_bounded() -> None:
    group = b"many:x:5:" + b",".join(b"u%d" % number for number in range(400_000)) + b"\n"
    assert resolve("7", ["many"], Accounts(b"", group)).groups == (0, 5)


def test_cve_2015_3630_cve_2018_10892_cve_2017_16539_proc_is_masked_and_read_only() -> None:
    linux = configure(facts(), HOST, SETTINGS).linux
    assert linux
    assert {"/proc/acpi", "/proc/scsi", "/proc/asound", "/proc/kcore", "/proc/timer_stats"} <= set(linux.masked_paths)
    assert {"/proc/sys", "/proc/bus", "/proc/irq", "/proc/fs", "/proc/sysrq-trigger"} == set(linux.readonly_paths)


def test_ghsa_jq35_85cj_fj4p_power_readings_are_masked() -> None:
    linux = configure(facts(), HOST, SETTINGS).linux
    assert linux
    assert "/sys/devices/virtual/powercap" in linux.masked_paths


def test_ghsa_6fw5_f8r9_fgfm_interrupts_and_throttles_of_every_processor_are_masked() -> None:
    linux = configure(facts(), HOST, SETTINGS).linux
    assert linux
    throttles = [f"/sys/devices/system/cpu/cpu{number}/thermal_throttle" for number in range(HOST.possible_processors)]
    assert {"/proc/interrupts", *throttles} <= set(linux.masked_paths)


def test_cve_2022_0185_cve_2020_14386_calls_into_unsafe_parts_of_the_kernel_are_filtered() -> None:
    program = compile_filter(default_profile(frozenset(DEFAULT), "amd64", (6, 1))).program
    unshare, mount, bpf, keyctl, userfaultfd, fsopen, fsconfig, clone3 = 272, 165, 321, 250, 323, 430, 431, 435
    for number in (unshare, mount, bpf, keyctl, userfaultfd, fsopen, fsconfig):
        assert verdict(program, number) == ERRNO | 1
    assert verdict(program, clone3) == ERRNO | 38


def test_cve_2026_31431_kernel_crypto_and_vsock_sockets_cannot_be_had() -> None:
    program = compile_filter(default_profile(frozenset(DEFAULT), "amd64", (6, 1))).program
    socket = 41
    allowed = {family for family in range(64) if verdict(program, socket, (family,)) == ALLOW}
    assert set(range(64)) - allowed == {38, 40}
    for family in (38, 40):
        # the kernel cuts the family to 32 bits, the filter sees 64
        for high in (1 << 32, 1 << 63, (1 << 64) - (1 << 32)):
            assert verdict(program, socket, (high | family,)) == ERRNO | 1


def test_ghsa_g54h_m393_cpwq_a_list_of_devices_is_an_allow_list() -> None:
    linux = configure(facts(), HOST, SETTINGS).linux
    assert linux
    assert linux.resources
    first = linux.resources.devices[0]
    assert (first.allow, first.type, first.access) == (False, "", "rwm")
    machine = DeviceMachine(devices.program(devices.allowed(((True, "c", 10, 200, "r"),))))
    openable = {(major, minor) for major in range(260) for minor in range(4) if machine.allows("c", major, minor, "r")}
    assert {major for major, _ in openable} == {1, 5, 136}
    assert not any(machine.allows("b", major, 0, "r") for major in range(260))


@pytest.mark.parametrize("value", ["1\n", "a+kernel.core_pattern=|/x\n", "1\0", "1\rx"])
def test_cve_2022_0811_a_sysctl_carries_one_value(value: str) -> None:
    assert "control characters" in refused(Sysctls={"kernel.shmmax": value})


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel.hostname",
        "vm.swappiness",
        "net/../kernel/core_pattern",
        "net.",
        "..net.x",
        "fs.mqueue",
    ],
)
def test_cve_2022_0532_sysctls_of_the_host_are_refused(name: str) -> None:
    assert "sysctl" in refused(Sysctls={name: "1"})


def test_cve_2022_0532_sysctls_of_shared_namespaces_are_refused() -> None:
    assert "host network namespace" in refused(Sysctls={"net.ipv4.ip_forward": "1"}, NetworkMode="host")
    assert "ipc namespace" in refused(Sysctls={"kernel.shmmax": "1"}, IpcMode="host")


@pytest.mark.parametrize("text", ["0-2147483647", "0-4294967295", "0-" + "9" * 400, ",".join("0" * 5000)])
def test_cve_2018_20699_a_huge_list_of_processors_is_refused_at_once(text: str) -> None:
    assert "cpuset cpus" in refused(CpusetCpus=text)


def test_cve_2014_6408_an_image_cannot_grant_itself_anything() -> None:
    raw = (
        b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "Privileged": true,'
        b' "config": {"Cmd": ["x"], "HostConfig": {"Privileged": true}, "SecurityOpt": ["seccomp=unconfined"]}}'
    )
    run = image_config.parse(raw).run
    assert not {"privileged", "host_config", "security_opt"} & set(run.__struct_fields__)


def test_cve_2023_6476_cve_2025_47291_no_parent_leads_out_of_the_daemons_tree() -> None:
    for parent in ("/", "..", "/../x", "a/../../b", "/a\n/b"):
        with pytest.raises(NotSupported):
            validate(CreateRequest(Image="x", HostConfig=HostConfig(CgroupParent=parent)), HOST, SETTINGS)
    linux = configure(facts(cgroup="/pier-1/a"), HOST, SETTINGS).linux
    assert linux
    assert linux.cgroups_path == "/pier-1/a"
