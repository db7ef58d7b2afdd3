"""A data root without a byte left: what cannot be done is refused with a reason, what runs goes on, nothing is lost,
and all is well again once there is room.
"""

import contextlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pier.runtime.logfile import LogFile
from tests.crash.lives import containers, create, ends, leftovers, lines, run, state
from tests.crash.repository import Repository
from tests.support import host
from tests.support.commands import run as program
from tests.support.commands import wait_until
from tests.support.engines import Engine
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root

FULL = "no space left on device"
WRITER = "i=0; until test -e /tmp/go; do i=$((i+1)); echo $i; sleep 0.05; done; echo last $i; exit 3"


class Cramped(Pierd):
    """A pierd whose data root is a small disk of its own."""

    def __init__(self) -> None:
        super().__init__()
        program(["mount", "-t", "tmpfs", "-o", "size=32m,mode=710", "tmpfs", str(self.data_root)]).ok()

    @property
    def filler(self) -> Path:
        return self.data_root / "filler"

    def fill(self) -> None:
        """Take every byte, also those that somebody gives back meanwhile."""
        descriptor = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        try:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(descriptor, bytes(size))
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)

    def holdings(self) -> host.Holdings:
        held = super().holdings()
        mounts = frozenset(line for line in held.mounts if str(self.data_root) not in line.split()[1:2])
        return host.Holdings(mounts, held.links, held.cgroups, held.tables, held.processes)

    def sweep(self) -> None:
        program(["umount", "-l", str(self.data_root)])
        super().sweep()


@pytest.fixture(scope="module")
def daemon(busybox_tar: Path) -> Iterator[Cramped]:
    cramped = Cramped()
    try:
        cramped.start()
        cramped.load(busybox_tar, "busybox:latest")
    except BaseException:
        cramped.sweep()
        raise
    yield cramped
    cramped.free()
    cramped.close()


@pytest.fixture
def cramped(daemon: Cramped) -> Iterator[Cramped]:
    """The module's daemon, with room before and after, and nothing of the test left."""
    yield daemon
    daemon.free()
    daemon.remove_containers()
    wait_until(lambda: not leftovers(daemon), f"nothing is left: {leftovers(daemon)}")


def creates(engine: Engine) -> tuple[list[str], str]:
    """Create until the disk refuses; the names that were made, and the error."""
    made: list[str] = []
    while len(made) < 500:
        name = f"more{len(made)}"
        answer = engine.api("POST", f"/containers/create?name={name}", {"Image": "busybox", "Volumes": {"/v": {}}})
        if answer.status != 201:
            assert answer.status == 507, answer.body
            return made, answer.message
        made.append(name)
    raise AssertionError("the disk is never full")


def test_creates_are_refused_whole(cramped: Cramped) -> None:
    cramped.fill()
    made, message = creates(cramped)
    assert FULL in message
    assert sorted(container["Names"][0] for container in containers(cramped)) == sorted(f"/{name}" for name in made)
    assert leftovers(cramped) == []
    cramped.free()
    create(cramped, f"more{len(made)}", "true")
    cramped.api("POST", f"/containers/more{len(made)}/start").ok()
    assert ends(cramped, f"more{len(made)}") == 0


def test_removals_need_no_room(cramped: Cramped) -> None:
    run(cramped, "runs", "sleep", "100000")
    create(cramped, "created", "true")
    cramped.fill()
    for name in ("runs", "created"):
        cramped.api("DELETE", f"/containers/{name}?force=1&v=1").ok()
    assert containers(cramped) == []


def large_tar() -> bytes:
    """More than the disk holds, and not to be compressed."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for number in range(12):
            entry = tarfile.TarInfo(f"part{number}")
            entry.size = 4 << 20
            archive.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return target.getvalue()


def test_an_import_is_refused_whole(cramped: Cramped, busybox_tar: Path, tmp_path: Path) -> None:
    answer = cramped.api(
        "POST", "/images/create?fromSrc=-&repo=large&tag=1", raw=large_tar(),
        headers={"Content-Type": "application/x-tar"},
    )  # fmt: skip
    assert FULL in answer.body.decode().lower(), answer.body
    assert b"Traceback" not in answer.body
    tags = [tag for image in cramped.api("GET", "/images/json").ok() for tag in image["RepoTags"]]
    assert tags == ["busybox:latest"]
    assert leftovers(cramped) == []
    run(cramped, "still", "true")
    assert ends(cramped, "still") == 0


def test_a_pull_is_refused_whole(cramped: Cramped) -> None:
    with Repository("base/large", "1", [large_tar()]) as repository:
        answer = cramped.api("POST", f"/images/create?fromImage={repository.name}")
    assert FULL in answer.body.decode().lower(), answer.body
    assert b"Traceback" not in answer.body
    tags = [tag for image in cramped.api("GET", "/images/json").ok() for tag in image["RepoTags"]]
    assert tags == ["busybox:latest"]
    assert leftovers(cramped) == []


def test_what_runs_goes_on_and_execs_begin(cramped: Cramped) -> None:
    run(cramped, "runs", "sh", "-c", "until test -e /tmp/go; do sleep 0.05; done; exit 5", Tmpfs={"/tmp": ""})
    cramped.fill()
    assert execute(cramped, "runs", "sh", "-c", "echo begun; touch /tmp/go") == (0, "begun")
    assert ends(cramped, "runs") == 5
    told = state(cramped, "runs")
    assert (told["Status"], told["ExitCode"]) == ("exited", 5)


def execute(engine: Engine, name: str, *command: str) -> tuple[int, str]:
    """Run an exec; its exit code and the first line of its output."""
    body = {"Cmd": list(command), "AttachStdout": True}
    exec_ = engine.api("POST", f"/containers/{name}/exec", body).ok()["Id"]
    output = engine.api("POST", f"/exec/{exec_}/start", {"Detach": False}).body
    told = engine.api("GET", f"/exec/{exec_}/json").ok()
    return told["ExitCode"], output[8:].decode().split("\n")[0]


def test_log_lines_wait_for_room(cramped: Cramped) -> None:
    run(cramped, "writes", "sh", "-c", WRITER, Tmpfs={"/tmp": ""})
    log = Path(cramped.api("GET", "/containers/writes/json").ok()["LogPath"])
    wait_until(lambda: log.stat().st_size, "the first lines are there")
    cramped.fill()
    full = log.stat().st_size
    # a page of the log may have had room left: it is full when the disk takes no more of it for some lines' time
    wait_until(lambda: log.stat().st_size // 4096 > full // 4096 or refused(log), "the log is refused")
    cramped.free()
    execute(cramped, "writes", "touch", "/tmp/go")
    assert ends(cramped, "writes") == 3
    written = lines(cramped, "writes")
    assert written == [*map(str, range(1, len(written))), f"last {len(written) - 1}"]


def refused(log: Path) -> bool:
    """Whether the page that the log had is used up."""
    return log.stat().st_size % 4096 > 4096 - 90


def test_a_daemon_starts_on_a_full_disk(cramped: Cramped) -> None:
    run(cramped, "runs", "sh", "-c", "until test -e /tmp/go; do sleep 0.05; done; exit 6", Tmpfs={"/tmp": ""})
    cramped.fill()
    cramped.kill()
    cramped.start()
    assert state(cramped, "runs")["Status"] == "running"
    assert execute(cramped, "runs", "touch", "/tmp/go")[0] == 0
    assert ends(cramped, "runs") == 6
    cramped.free()
    cramped.restart()
    assert (state(cramped, "runs")["Status"], state(cramped, "runs")["ExitCode"]) == ("exited", 6)


@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_log_loses_no_line_and_breaks_none(tmp_path: Path, limit: int) -> None:
    """Lines of every length meet the end of the disk, which is then given back."""
    program(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]).ok()
    try:
        log = LogFile(str(tmp_path / "log"), limit, 10)
        filler = tmp_path / "filler"
        filler.write_bytes(bytes(36 << 10))
        sent = [f"{number} " + "x" * (number * 37 % 300) for number in range(200)]
        refusals = 0
        for line in sent:
            try:
                log.write(b"stdout", f"{line}\n".encode())
            except OSError:
                refusals += 1
            for path in tmp_path.glob("log*"):
                assert path.read_bytes()[-1:] in (b"\n", b""), "an entry is cut"
        assert refusals
        filler.unlink()
        log.close()
        newest_last = sorted(tmp_path.glob("log*"), key=lambda path: -int(path.suffix[1:] or 0))
        kept = b"".join(path.read_bytes() for path in newest_last)
        assert [json.loads(entry)["log"].rstrip("\n") for entry in kept.splitlines()] == sent
    finally:
        program(["umount", "-l", str(tmp_path)]).ok()
