"""Rows 12 to 21 and 25: paths of images and volumes that try to lead a start out of the container's root."""

import io
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.stage import Canary, exchanging, make_image, rounds, shell
from tests.support.commands import Result
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]

DEVPTS_MAGIC = "1cd1"


def data(pierd: Pierd, volume: str) -> Path:
    """Where a volume's content lies on the host, made when it is not there."""
    return Path(pierd.api("POST", "/volumes/create", {"Name": volume}).ok()["Mountpoint"])


def attempt(pierd: Pierd, image: str, *flags: str, command: tuple[str, ...] = ("true",)) -> Result:
    """Run a container that may well be refused, but never with a traceback or a server error."""
    result = pierd.docker("run", "--rm", "--network", "none", *flags, image, *command)
    assert result.code in (0, 1, 125, 126, 127), result.describe()
    assert "Traceback" not in result.stdout + result.stderr
    return result


@pytest.fixture
def core_pattern() -> Iterator[None]:
    """A host file that a write through procfs would change; it stays as it is."""
    path = Path("/proc/sys/kernel/core_pattern")
    before = path.read_text()
    yield
    assert path.read_text() == before


def test_row_12_cve_2015_3629_links_left_by_the_last_run_lead_nowhere(pierd: Pierd, canary: Canary) -> None:
    """The targets of mounts become links to the canary, with and without such a place inside, and it starts again."""
    make_image(pierd, "bare")  # where mounts go is made by the start, so that it can be moved away
    flags = ("-v", "row12:/data/volume", "--tmpfs", "/opt/scratch", "-w", "/opt/work", "--network", "none")
    for name, place in (("kept", f"mkdir -p {canary.root}/work"), ("gone", "true")):
        move = f"mkdir /moved; mv /data /opt /etc /moved; for d in data opt etc; do ln -s {canary.root} /$d; done"
        script = f"test -e /moved || {{ {place}; {move}; }}; touch /done; sleep 9999"
        pierd.docker("create", "--name", name, *flags, "bare", "sh", "-c", script).ok()
        pierd.docker("start", name).ok()
        pierd.docker("exec", "-w", "/", name, "sh", "-c", "until test -e /done; do :; done; test -L /etc").ok()
        for _ in range(rounds(2, 20)):
            pierd.docker("stop", "-t", "0", name).ok()
            assert pierd.docker("start", name).code == (0 if name == "kept" else 1)
            canary.check()
        pierd.docker("rm", "-f", name).ok()
    pierd.docker("volume", "rm", "row12").ok()


@pytest.mark.parametrize("kind", ["volume", "bind", "tmpfs"])
def test_row_13_cve_2021_30465_row_19_cve_2024_45310_a_target_that_is_swapped_stays_inside(
    pierd: Pierd, canary: Canary, tmp_path: Path, kind: str
) -> None:
    shared = data(pierd, f"shared-{kind}")
    (shared / "a").mkdir()
    (shared / "b").symlink_to("../" * 24 + str(canary.root)[1:])
    inner = {
        "volume": ("-v", "inner:/shared/a/new"),
        "bind": ("-v", f"{tmp_path}:/shared/a/deep/er"),
        "tmpfs": ("--tmpfs", "/shared/a"),
    }[kind]
    with exchanging(shared / "a", shared / "b"):
        for _ in range(rounds(6, 2000)):
            attempt(pierd, "busybox", "-v", f"shared-{kind}:/shared", *inner)
    canary.check()


@pytest.mark.usefixtures("core_pattern")
def test_row_14_cve_2025_31133_a_null_device_of_somebody_elses_masks_nothing(pierd: Pierd) -> None:
    script = "head -c 4 /proc/kcore; head -c 4 /proc/timer_list; echo evil > /proc/kcore; true"
    for number, target in enumerate(("/proc/sys/kernel/core_pattern", "../proc/sys/kernel/core_pattern", "/dev/zero")):
        shared = data(pierd, f"devices{number}")
        (shared / "null").symlink_to(target)
        (shared / "zero").write_text("no device")
        result = attempt(pierd, "busybox", "-v", f"devices{number}:/dev", command=("sh", "-c", script))
        assert result.stdout == ""


def test_row_15_cve_2025_52565_the_console_is_a_terminal_of_the_containers(pierd: Pierd, canary: Canary) -> None:
    look = ("stat", "-f", "-c", "%t", "/dev/console")
    assert shell(pierd, " ".join(look), "-t").strip() == DEVPTS_MAGIC
    shared = data(pierd, "terminals")
    for name in ("console", "ptmx", "pts"):
        (shared / name).symlink_to(canary.root / "secret")
    for where in ("/dev", "/dev/pts"):
        result = attempt(pierd, "busybox", "-t", "-v", f"terminals:{where}", command=look)
        assert result.code or result.stdout.strip() == DEVPTS_MAGIC
    canary.check()


@pytest.mark.usefixtures("core_pattern")
@pytest.mark.parametrize("target", ["/proc", "/proc/", "//proc/.", "/proc/self/attr", "/proc/sys", "/x/../proc"])
def test_row_16_cve_2025_52881_cve_2019_19921_nothing_is_mounted_over_the_kernels_files(
    pierd: Pierd, target: str
) -> None:
    for flags in (("-v", f"over:{target}"), ("--tmpfs", target)):
        result = attempt(pierd, "busybox", *flags, "--sysctl", "net.ipv4.ip_forward=1")
        assert result.code != 0, result.describe()


@pytest.mark.usefixtures("core_pattern")
def test_row_16_cve_2025_52881_a_sysctl_goes_to_the_kernel_and_nowhere_else(pierd: Pierd) -> None:
    """The image's /proc is full of links."""
    files = {"elsewhere/net/ipv4/ip_unprivileged_port_start": "untouched"}
    make_image(pierd, "fake-proc", links={"proc/sys": "/elsewhere"}, files=files)
    script = "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start /elsewhere/net/ipv4/ip_unprivileged_port_start"
    told = shell(pierd, script, "--sysctl", "net.ipv4.ip_unprivileged_port_start=77", image="fake-proc")
    assert told.split() == ["77", "untouched"]


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_row_17_cve_2023_27561_cve_2023_28642_cve_2019_16884_proc_behind_a_link_is_refused(
    pierd: Pierd, canary: Canary, name: str
) -> None:
    for number, target in enumerate((canary.routes()[1], "/bin")):
        make_image(pierd, f"link-{name}-{number}", links={name: target})
        assert attempt(pierd, f"link-{name}-{number}").code in (125, 127)
    canary.check()


@pytest.mark.parametrize("volume", ["/proc", "/proc/self/attr", "/proc/sys/kernel"])
def test_row_17_cve_2019_16884_an_image_cannot_lay_a_volume_over_proc(pierd: Pierd, volume: str) -> None:
    make_image(pierd, "covers", f"VOLUME {volume}")
    assert attempt(pierd, "covers").code != 0


@pytest.mark.parametrize("volume", ["/sys", "/dev"])
def test_row_17_cve_2023_28642_a_volume_over_sys_or_dev_bares_nothing(pierd: Pierd, volume: str) -> None:
    make_image(pierd, "covers", f"VOLUME {volume}")
    script = "head -c 4 /proc/kcore; head -c 4 /proc/timer_list; ls /sys/firmware 2>/dev/null; true"
    result = attempt(pierd, "covers", command=("sh", "-c", script))
    assert result.stdout == ""


def test_row_18_cve_2026_41579_row_20_cve_2024_5154_links_of_an_image_stay_in_it(pierd: Pierd, canary: Canary) -> None:
    names = ("dev", "etc", "tmp", "opt")
    changes = [f"VOLUME {' '.join(f'/{name}/volume' for name in names)}", "WORKDIR /opt/work"]
    flags = [f"--tmpfs=/{name}/scratch" for name in names] + [f"--device=/dev/null:/{name}/device" for name in names]
    for number, target in enumerate((*canary.routes(), "opt", "/dev/tmp")):
        make_image(pierd, f"links{number}", *changes, links=dict.fromkeys(names, target))
        attempt(pierd, f"links{number}")
        for name in names:
            attempt(pierd, f"links{number}", "-v", f"/bin:/{name}/bound", *flags, "-t", "--hostname", "box")
    canary.check()


def test_row_20_cve_2024_5154_the_table_of_mounts_is_not_written_through_a_link(pierd: Pierd, canary: Canary) -> None:
    links = {f"etc/{name}": str(canary.root / "secret") for name in ("mtab", "hosts", "hostname", "resolv.conf")}
    make_image(pierd, "mtab", links=links)
    for flags in ((), ("--network", "none"), ("--read-only",)):
        pierd.docker("run", "--rm", *flags, "mtab", "true")
    canary.check()


def test_row_21_cve_2026_55686_a_working_directory_behind_a_link_is_made_inside(pierd: Pierd, canary: Canary) -> None:
    for number, target in enumerate(canary.routes()):
        make_image(pierd, f"away{number}", "WORKDIR /l/new", links={"l": target})
        attempt(pierd, f"away{number}", "-u", "1000")
        result = attempt(pierd, f"away{number}", "-w", "/l/deep/other", command=("pwd",))
        assert result.code or "deep/other" in result.stdout
        container = pierd.docker("create", f"away{number}", "true").ok()
        pierd.docker("rm", container).ok()
    canary.check()


@pytest.mark.parametrize("target", ["/proc/self/attr/exec", "/proc/self/attr/apparmor/exec", "/proc/1/attr/current"])
def test_row_25_cve_2015_3631_no_volume_covers_a_file_of_procs(pierd: Pierd, target: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("unconfined")
    assert attempt(pierd, "busybox", "-v", f"{tmp_path}/file:{target}").code != 0
    make_image(pierd, "aside", links={"aside": "/proc/self/attr"})
    assert attempt(pierd, "aside", "-v", f"{tmp_path}/file:/aside/exec").code != 0


def test_row_43_cve_2022_23648_a_volume_of_an_image_starts_with_nothing_of_the_hosts(
    pierd: Pierd, canary: Canary
) -> None:
    for number, volume in enumerate(("/../../../../..", "/link", "/link/../../..", "/a/../../../../etc")):
        links = {"link": "../" * 24 + str(canary.root)[1:]}
        make_image(pierd, f"greedy{number}", f"VOLUME {volume}{'' if 'link' in volume else canary.root}", links=links)
        result = attempt(pierd, f"greedy{number}", command=("find", "/", "-xdev", "-name", "secret"))
        seen = attempt(
            pierd, f"greedy{number}", command=("sh", "-c", "grep -r canary-secret /link/ /etc/ 2>/dev/null; true")
        )
        assert "secret" not in result.stdout + seen.stdout
    canary.check()


def test_row_61_cve_2018_15664_row_63_row_64_row_65_copies_go_nowhere_else_while_a_link_is_swapped(
    pierd: Pierd, canary: Canary
) -> None:
    shared = data(pierd, "copied")
    (shared / "a").mkdir()
    (shared / "b").symlink_to("../" * 24 + str(canary.root)[1:])
    pierd.docker("run", "-d", "--name", "copy", "--network=none", "-v", "copied:/v", "busybox", "sleep", "9999").ok()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("planted")
        entry.size, entry.mode, entry.mtime = 4, 0o4777, int(time.time())
        archive.addfile(entry, io.BytesIO(b"evil"))
    with exchanging(shared / "a", shared / "b"):
        for _ in range(rounds(10, 5000)):
            answer = pierd.api("GET", "/containers/copy/archive?path=/v/a/")
            assert answer.status in (200, 404, 400, 500), answer.body
            assert b"canary" not in answer.body
            written = pierd.api("PUT", "/containers/copy/archive?path=/v/a/", raw=packed.getvalue())
            assert written.status in (200, 404, 400), written.body
    pierd.docker("rm", "-f", "copy").ok()
    canary.check()
    assert not os.path.lexists(canary.root / "planted")
