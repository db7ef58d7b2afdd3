"""Rows 31 to 37, 40, 41 and 48: limits that hold, words that stay words, and what an image cannot grant or name."""

import hashlib
import io
import json
import os
import tarfile
import time
from pathlib import Path

import pytest

from tests.security.stage import Canary, make_image, shell
from tests.support.api import Answer
from tests.support.commands import wait_until
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]

HOG = "x=0123456789abcdef; while :; do x=$x$x; done"
NO_NETWORK = ("--network", "none")


def refused(answer: Answer) -> str:
    assert 400 <= answer.status < 500, (answer.status, answer.body)
    return answer.message


def create(pierd: Pierd, **host_config: object) -> Answer:
    return pierd.api("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"], "HostConfig": host_config})


@pytest.mark.parametrize("flags", [(), ("--cgroupns", "host"), ("--pid", "host"), ("--privileged",)])
def test_row_31_cve_2023_6476_cve_2025_47291_every_process_is_in_the_containers_groups(
    pierd: Pierd, flags: tuple[str, ...]
) -> None:
    pierd.docker("run", "-d", "--name", "grouped", *NO_NETWORK, *flags, "busybox", "sleep", "9999").ok()
    pierd.docker("exec", "-d", "grouped", "sleep", "9998").ok()
    for _ in range(2):
        told = pierd.api("GET", "/containers/grouped/json").ok()
        wanted = f"/pier-{pierd.instance}/{told['Id']}"
        processes = pierd.docker("top", "grouped", "-eo", "pid").ok().split()[1:]
        for pid in processes:
            groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
            mine = {path for _, controllers, path in groups if controllers in ("memory", "pids", "devices", "cpuset")}
            assert mine <= {wanted}
            assert wanted in {path for *_, path in groups}
        pierd.docker("restart", "-t", "0", "grouped").ok()
    pierd.docker("rm", "-f", "grouped").ok()


def test_row_31_cve_2023_6476_a_limit_holds_after_a_restart_too(pierd: Pierd) -> None:
    flags = ("-m", "16m", "--memory-swap", "16m")
    pierd.docker("create", "--name", "hog", *NO_NETWORK, *flags, "busybox", "sh", "-c", HOG).ok()
    for _ in range(2):
        pierd.docker("start", "hog").ok()
        assert pierd.docker("wait", "hog").ok() == "137"
        assert pierd.api("GET", "/containers/hog/json").ok()["State"]["OOMKilled"] is True
    pierd.docker("rm", "hog").ok()


def test_row_32_cve_2024_3154_row_53_cve_2026_53488_labels_are_words(pierd: Pierd, canary: Canary) -> None:
    """A label or an annotation of a request or an image changes nothing but itself."""
    evil = {
        "io.pier.privileged": "true",
        "containerd.io/restart.loguri": f"binary:///bin/touch?{canary.root}/planted",
        "org.systemd.property.ExecStopPost": f"touch {canary.root}/planted",
        "a;\nb": "c\nDeviceAllow=/dev/mem rwm",
    }
    make_image(pierd, "labelled", *(f'LABEL "{key}"="{evil[key]}"' for key in list(evil)[:3]))
    body = {"Image": "labelled", "Cmd": ["grep", "CapEff", "/proc/self/status"], "Labels": evil}
    container = pierd.api("POST", "/containers/create", {**body, "HostConfig": {"Annotations": evil}}).ok()["Id"]
    assert pierd.docker("start", "-a", container).ok() == "CapEff:\t00000000a80425fb"
    assert pierd.api("GET", f"/containers/{container}/json").ok()["Config"]["Labels"] == evil
    pierd.docker("rm", container).ok()
    canary.check()


@pytest.mark.parametrize(
    "sysctls",
    [
        {"kernel.shm_rmid_forced": "1\n"},
        {"kernel.shm_rmid_forced": "1+kernel.core_pattern=|/x\n"},
        {"kernel.core_pattern": "|/evil"},
        {"kernel/core_pattern": "|/evil"},
        {"net.../kernel.core_pattern": "|/evil"},
        {"net.ipv4/../../kernel/core_pattern": "|/evil"},
    ],
)
def test_row_33_cve_2022_0811_cve_2022_0532_no_sysctl_of_the_host_is_set(pierd: Pierd, sysctls: dict[str, str]) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    answer = create(pierd, Sysctls=sysctls, NetworkMode="none")
    if answer.status == 201:
        container = answer.json()["Id"]
        answer = pierd.api("POST", f"/containers/{container}/start")
        pierd.api("DELETE", f"/containers/{container}?force=1")
    assert refused(answer)
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_row_33_cve_2022_0532_sysctls_of_shared_namespaces_are_refused(pierd: Pierd) -> None:
    assert refused(create(pierd, Sysctls={"net.ipv4.ip_forward": "1"}, NetworkMode="host"))
    assert refused(create(pierd, Sysctls={"kernel.shmmax": "1"}, IpcMode="host"))


def test_row_34_cve_2021_43816_a_shared_label_changes_no_label_of_the_host(pierd: Pierd, canary: Canary) -> None:
    """SELinux is not applied: `:z` and `:Z` are taken, as Docker does without it, and touch nothing."""
    attributes = os.listxattr(canary.root / "secret")
    for mode in ("z", "Z", "ro,z"):
        assert "canary" in shell(pierd, "cat /m/secret", "-v", f"{canary.root}:/m:{mode}")
    assert os.listxattr(canary.root / "secret") == attributes
    canary.check()


def test_row_35_cve_2024_3056_shared_memory_is_bounded_and_ends_with_its_owner(pierd: Pierd) -> None:
    donor = ("--ipc", "shareable", "--shm-size", "8m", "--name", "donor")
    pierd.docker("run", "-d", *NO_NETWORK, *donor, "busybox", "sleep", "9999").ok()
    pid = pierd.api("GET", "/containers/donor/json").ok()["State"]["Pid"]
    fill = "dd if=/dev/zero of=/dev/shm/f$$ bs=1M count=64 2>/dev/null; kill -9 $$"
    for _ in range(3):
        pierd.docker("run", "--rm", *NO_NETWORK, "--ipc", "container:donor", "busybox", "sh", "-c", fill)
        used = os.statvfs(f"/proc/{pid}/root/dev/shm")
        assert (used.f_blocks - used.f_bfree) * used.f_frsize <= 8 << 20
    pierd.docker("rm", "-f", "donor").ok()
    assert not [line for line in pierd.holdings().mounts if "shm" in line]


@pytest.mark.parametrize("text", ["0-2147483647", "0-18446744073709551615", ",".join(["0-1023"] * 9999), "0" * 100_000])
def test_row_36_cve_2018_20699_a_huge_list_of_processors_is_refused_at_once(pierd: Pierd, text: str) -> None:
    began = time.monotonic()
    assert refused(create(pierd, CpusetCpus=text))
    assert refused(create(pierd, CpusetMems=text))
    assert time.monotonic() - began < 5


def _archive(configuration: object, *, config_name: str = "", layer: bytes = b"", tag: str = "granted:latest") -> bytes:
    """An archive of `docker load` with one image of the given configuration."""
    config = json.dumps(configuration).encode()
    name = config_name or hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in (("manifest.json", json.dumps(manifest).encode()), (name, config), ("layer.tar", layer)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _load(pierd: Pierd, archive: bytes) -> Answer:
    return pierd.api("POST", "/images/load", raw=archive, headers={"Content-Type": "application/x-tar"})


def test_row_37_cve_2014_6408_an_image_grants_itself_nothing(pierd: Pierd, busybox_tar: Path) -> None:
    layer = busybox_tar.read_bytes()
    grants = {"Privileged": True, "CapAdd": ["ALL"], "SecurityOpt": ["seccomp=unconfined"], "Binds": ["/:/host"]}
    configuration = {
        "architecture": "amd64", "os": "linux", **grants, "HostConfig": grants,
        "config": {"Cmd": ["sh"], "HostConfig": grants, **grants},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }  # fmt: skip
    _load(pierd, _archive(configuration, layer=layer)).ok()
    look = "grep -E '^(CapEff|Seccomp):' /proc/self/status; ls -d /host 2>&1"
    told = pierd.docker("run", "--rm", *NO_NETWORK, "granted", "sh", "-c", f"{look}; true").ok().splitlines()
    assert told[:2] == ["CapEff:\t00000000a80425fb", "Seccomp:\t2"]
    assert "No such file" in told[2]


@pytest.mark.parametrize("name", ["../../../x.json", "/etc/passwd", "A" * 64 + ".json", "f" * 65, "..", "a\0b"])
def test_row_40_cve_2014_9358_a_name_in_an_archive_is_no_path(pierd: Pierd, canary: Canary, name: str) -> None:
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:../../x"]},
    }
    for diff_id in ("sha256:../../x", f"sha256:{'A' * 64}", "sha256:" + "0" * 65, f"sha256:/{canary.root}", "x"):
        rootfs = {"type": "layers", "diff_ids": [diff_id]}
        configuration = {"architecture": "amd64", "os": "linux", "rootfs": rootfs}
        answer = _load(pierd, _archive(configuration, config_name=name.replace("\0", "")))
        told = answer.body.decode()
        assert answer.status in (200, 400)
        assert answer.status == 400 or "errorDetail" in told, told
    canary.check()


@pytest.mark.parametrize(
    "digest", ["sha256:../../x", "sha256:ab", "sha999:" + "0" * 64, "sha256:" + "G" * 64, "sha256:" + "0" * 10_000, "@"]
)
def test_row_48_cve_2024_3727_a_digest_is_one_or_nothing(pierd: Pierd, digest: str) -> None:
    quoted = digest.replace("/", "%2F")
    for method, target in (
        ("GET", f"/images/busybox@{quoted}/json"),
        ("GET", f"/images/{quoted}/json"),
        ("DELETE", f"/images/busybox@{quoted}"),
        ("GET", f"/images/{quoted}/get"),
        ("POST", f"/images/create?fromImage=localhost:1/x&tag={quoted}"),
    ):
        answer = pierd.api(method, target)
        assert answer.status in (400, 404), (target, answer.status, answer.body[:200])
    assert pierd.docker("image", "inspect", "busybox").code == 0


def test_row_41_cve_2021_32760_no_mode_is_changed_through_a_link(pierd: Pierd, canary: Canary) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, str(canary.root / "secret")
        archive.addfile(link)
        for kind, mode in ((tarfile.REGTYPE, 0o4777), (tarfile.DIRTYPE, 0o7777)):
            entry = tarfile.TarInfo("x")
            entry.type, entry.mode = kind, mode
            archive.addfile(entry)
            archive.addfile(link)
    headers = {"Content-Type": "application/x-tar"}
    pierd.api("POST", "/images/create?fromSrc=-&repo=modes&tag=latest", raw=layer.getvalue(), headers=headers)
    pierd.docker("create", "--name", "modes", "busybox").ok()
    for _ in range(3):
        pierd.api("PUT", "/containers/modes/archive?path=/", raw=layer.getvalue())
    pierd.docker("rm", "modes").ok()
    canary.check()


def test_nothing_stays_of_what_was_refused(pierd: Pierd) -> None:
    wait_until(lambda: pierd.api("GET", "/containers/json?all=1").ok() == [], "no container is left")
    assert "Traceback" not in pierd.log()
