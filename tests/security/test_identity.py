"""Rows 5 to 10 and 90: who a process is, whatever an image's accounts or a caller's words say."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.stage import make_image, rounds, shell
from tests.support.api import Answer
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]

PASSWD = "root:x:0:0::/root:/bin/sh\n1000:x:0:0::/:/bin/sh\nmallory:x:1001:1001::/:/bin/sh\n"
GROUP = "root:x:0:\n2000:x:0:\nstaff:x:50:mallory\nshut:x:60:\n"
OVERFLOWING = ["2147483648", "4294967295", "4294967296", "-1", "0x0", "0 ", "+0", "1:4294967296", "1:-1", "1:+0"]
EMPTY = "0000000000000000"


@pytest.fixture(scope="module")
def liar(pierd: Pierd) -> str:
    """An image whose accounts try to be what they are not."""
    files = {"etc/passwd": PASSWD, "etc/group": GROUP, "shut": "closed to group 60\n"}
    make_image(pierd, "liar", "USER 1000", files=files)
    return "liar"


@pytest.fixture(scope="module")
def running(pierd: Pierd, liar: str) -> Iterator[str]:
    pierd.docker("run", "-d", "--name", "running", "--network", "none", liar, "sleep", "9999").ok()
    yield "running"
    pierd.docker("rm", "-f", "running").ok()


def test_row_05_cve_2016_3697_a_user_named_by_a_number_is_that_number(pierd: Pierd, liar: str, running: str) -> None:
    assert shell(pierd, "id -u", image=liar) == "1000"
    assert shell(pierd, "id -u; id -g", "-u", "1000:2000", image=liar) == "1000\n2000"
    assert pierd.docker("exec", "-u", "1000:2000", running, "sh", "-c", "id -u; id -g").ok() == "1000\n2000"
    assert pierd.docker("exec", running, "id", "-u").ok() == "1000"


def refused(answer: Answer) -> str:
    assert 400 <= answer.status < 500, (answer.status, answer.body)
    return answer.message


@pytest.mark.parametrize("user", OVERFLOWING)
def test_row_06_cve_2024_40635_cve_2026_46680_no_number_overflows_to_root(
    pierd: Pierd, running: str, user: str
) -> None:
    created = pierd.api("POST", "/containers/create", {"Image": "busybox", "Cmd": ["id", "-u"], "User": user})
    if created.status == 201:  # refused when it starts, as Docker does
        container = created.json()["Id"]
        created = pierd.api("POST", f"/containers/{container}/start")
        pierd.api("DELETE", f"/containers/{container}?force=1")
    assert refused(created)
    executed = pierd.docker("exec", "-u", user, running, "id", "-u")
    assert executed.code == 126
    assert executed.stdout.strip() != "0"


def test_row_07_cve_2022_36109_the_primary_group_is_a_supplementary_one_too(
    pierd: Pierd, liar: str, running: str
) -> None:
    make_shut = "chown 0:60 /shut; chmod 707 /shut"  # everybody but the group may read
    container = pierd.docker("exec", "-u", "0", running, "sh", "-c", make_shut)
    container.ok()
    look = ("sh", "-c", "id -G; cat /shut 2>&1; true")
    for user in ("mallory:60", "1001:shut", "7:60"):
        told = pierd.docker("exec", "-u", user, running, *look).ok().splitlines()
        assert "60" in told[0].split()
        assert told[1].endswith("Permission denied")
    assert "closed to group 60" in pierd.docker("exec", "-u", "mallory", running, *look).ok()
    assert set(shell(pierd, "id -G", "-u", "mallory", "--group-add", "60", image=liar).split()) == {"1001", "50", "60"}
    assert set(shell(pierd, "id -G", "-u", "7:60", "--group-add", "staff", image=liar).split()) == {"60", "50"}


@pytest.mark.parametrize("user", ["0", "1000", "mallory"])
@pytest.mark.parametrize("flags", [(), ("--privileged",), ("--cap-add", "ALL")], ids=["", "privileged", "all"])
def test_row_08_cve_2022_24769_cve_2022_29162_nothing_is_inherited_and_nothing_ambient(
    pierd: Pierd, liar: str, running: str, user: str, flags: tuple[str, ...]
) -> None:
    look = ("grep", "-E", "^Cap(Inh|Amb|Eff)", "/proc/self/status")
    told = [pierd.docker("run", "--rm", "--network=none", "-u", user, *flags, liar, *look).ok()]
    if "ALL" not in flags:
        told.append(pierd.docker("exec", "-u", user, *flags, running, *look).ok())
    for lines in told:
        sets = dict(line.split() for line in lines.splitlines())
        assert sets["CapInh:"] == sets["CapAmb:"] == EMPTY
        assert (sets["CapEff:"] == EMPTY) == (user != "0")


def test_row_09_cve_2022_4318_values_with_line_ends_do_not_reach_the_accounts(pierd: Pierd, liar: str) -> None:
    evil = "/\nevil:x:0:0::/:/bin/sh"
    look = "cat /etc/passwd; echo --; cat /etc/group"
    for flags in (("-e", f"HOME={evil}"), ("-e", f"A{evil}=1"), ("-w", "/bin"), ("-e", "HOME=/:x:..")):
        assert shell(pierd, look, *flags, image=liar) == f"{PASSWD}--\n{GROUP}".rstrip("\n")
    for key, value in (("Hostname", "a\nb"), ("Domainname", "a\nb"), ("User", evil), ("Hostname", "a\0b")):
        answer = pierd.api("POST", "/containers/create", {"Image": liar, "Cmd": ["true"], key: value})
        if answer.status == 201:
            container = answer.json()["Id"]
            answer = pierd.api("POST", f"/containers/{container}/start")
            pierd.api("DELETE", f"/containers/{container}?force=1")
        assert refused(answer)
    for key, value in (
        ("ExtraHosts", "a\nb:1.2.3.4"),
        ("DnsSearch", "a\nb"),
        ("DnsOptions", "a\nb"),
        ("Dns", "1.1.1.1\n"),
    ):
        body = {"Image": liar, "Cmd": ["true"], "HostConfig": {key: [value]}}
        assert refused(pierd.api("POST", "/containers/create", body))


def test_row_09_cve_2022_4318_hosts_and_names_are_byte_for_byte_ours(pierd: Pierd, liar: str) -> None:
    told = shell(
        pierd, "cat /etc/hostname; cat /etc/hosts", "--hostname", "box", "--domainname", "example.org", image=liar
    )
    lines = told.splitlines()
    assert lines[0] == "box"
    assert lines[1] == "127.0.0.1\tlocalhost"
    assert all("\t" in line for line in lines[1:])


def _peak(pierd: Pierd) -> int:
    """The most memory that the daemon has held since `_forget`, in KiB."""
    status = Path(f"/proc/{pierd.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _forget(pierd: Pierd) -> int:
    Path(f"/proc/{pierd.pid}/clear_refs").write_text("5")
    return _peak(pierd)


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_row_10_cve_2026_47262_cve_2025_4437_huge_accounts_are_not_read(pierd: Pierd, liar: str, name: str) -> None:
    """A sparse file of 8 GB in a running container, and in one that starts again."""
    pierd.docker("run", "-d", "--name", "huge", "--network", "none", "-u", "mallory", liar, "sleep", "9999").ok()
    before = _forget(pierd)
    pierd.docker("exec", "-u", "0", "huge", "truncate", "-s", "8G", f"/etc/{name}").ok()
    executed = pierd.docker("exec", "-u", "mallory", "huge", "true")
    pierd.docker("kill", "huge").ok()
    pierd.docker("wait", "huge").ok()
    started = pierd.docker("start", "huge")
    peak = _peak(pierd)
    pierd.docker("rm", "-f", "huge").ok()
    for result in (executed, started):
        assert result.code != 0
        assert "larger than" in result.stdout + result.stderr
    assert peak - before < 16 << 10


def test_row_10_cve_2026_47262_an_image_with_a_line_of_a_million_members(pierd: Pierd) -> None:
    members = ",".join(f"member{number}" for number in range(1_000_000))
    make_image(pierd, "crowd", files={"etc/passwd": "root:x:0:0::/:\n", "etc/group": f"many:x:5:{members}\n"})
    before = _forget(pierd)
    result = pierd.docker("run", "--rm", "--network", "none", "-u", "root:many", "crowd", "true")
    assert result.code in (0, 125)
    assert "Traceback" not in result.stderr
    assert _peak(pierd) - before < 16 << 10


def test_row_90_cve_2021_21334_the_environment_of_one_is_not_anothers(pierd: Pierd, liar: str) -> None:
    count = rounds(24, 500)
    told: dict[int, str] = {}

    def one(number: int) -> None:
        body = {"Image": liar, "Cmd": ["sleep", "9"], "Env": [f"OWN={number}"], "HostConfig": {"NetworkMode": "none"}}
        container = pierd.api("POST", f"/containers/create?name=env{number}", body).ok()["Id"]
        pierd.api("POST", f"/containers/{container}/start").ok()
        pid = pierd.api("GET", f"/containers/{container}/json").ok()["State"]["Pid"]
        told[number] = Path(f"/proc/{pid}/environ").read_text()
        pierd.api("DELETE", f"/containers/{container}?force=1").ok()

    for first in range(0, count, 8):
        threads = [threading.Thread(target=one, args=(number,)) for number in range(first, min(first + 8, count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(count):
        assert [word for word in told[number].split("\0") if word.startswith("OWN=")] == [f"OWN={number}"]
