"""pier-runtime beside runc on the same bundle: the same words, the same codes, the same container from inside."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.bundles import Runtime, config
from tests.runtime.lines import Line

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not installed"),
]


class Runc(Line):
    """runc, on the same kind of bundle."""

    program = ("runc",)


@pytest.fixture
def both(tmp_path: Path, rootfs: Path, runtime: Runtime) -> Iterator[tuple[Line, Line]]:
    """Both command lines, each with a bundle and a control group of its own."""
    lines = []
    for kind, name in ((Line, "ours"), (Runc, "theirs")):
        (tmp_path / name).mkdir()
        lines.append(kind(tmp_path / name, rootfs, runtime))
        lines[-1].group = f"{runtime.parent}/{tmp_path.name}-{name}"
    yield lines[0], lines[1]
    for line in lines:
        line("delete", "--force", "one")


def answers(both: tuple[Line, Line], *words: str, code: int = 0) -> list[str]:
    """What both print, without what must differ: times, process numbers, paths, and the usage texts of wrong words."""
    printed = []
    for line in both:
        text = re.sub(r'time="[^"]*"', "time=T", line(*words, code=code))
        text = re.sub(r"(?s)^Incorrect Usage.*?(?=time=T)", "Usage\n", text)
        for value, name in ((str(line.bundle), "BUNDLE"), (line.group, "GROUP")):
            text = text.replace(value, name)
        text = re.sub(r'("created": ?)"[^"]*"', r"\1T", re.sub(r'("pid": ?)\d+', r"\1N", text))
        printed.append(text.replace('"1.0.2-dev"', '"1.0.2"'))
    return printed


WRONG = (
    (("start", "nope"), 1), (("state", "nope"), 1), (("kill", "nope"), 1), (("delete", "nope"), 1), (("ps", "nope"), 1),
    (("delete", "--force", "nope"), 0), (("exec", "nope", "true"), 255), (("pause", "nope"), 1),
    (("resume", "nope"), 1), (("events", "nope"), 1), (("create", "--nosuch", "one"), 1), (("list", "-f", "xml"), 1),
    (("list", "-f", "json"), 0),
    (("--log-format", "xml", "list"), 1), (("events", "--stats", "nope"), 1), (("list", "-q"), 0), (("list",), 0),
)  # fmt: skip


def test_wrong_words_are_answered_alike(both: tuple[Line, Line]) -> None:
    for words, code in WRONG:
        ours, theirs = answers(both, *words, code=code)
        assert ours == theirs, words


CREATED = (
    (("state", "one"), 0), (("create", "one"), 1), (("kill", "one", "NOSUCH"), 1), (("exec", "one"), 255),
    (("resume", "one"), 1), (("ps", "-f", "xml", "one"), 1), (("ps", "one", "-o", "args"), 1),
    (("exec", "one", "nosuch"), 255), (("exec", "one", "id"), 0), (("exec", "-u", "foo", "one", "id"), 255),
)  # fmt: skip
RUNNING = (
    (("start", "one"), 1), (("exec", "one", "sh", "-c", "exit 3"), 3), (("delete", "one"), 1), (("state", "one"), 0),
    (("exec", "-u", "5:6", "-g", "7", "-g", "8", "-e", "A=b", "--cwd", "/bin", "one", "sh", "-c", "id; pwd; env"), 0),
    (("exec", "--cap", "CAP_SYS_ADMIN", "one", "grep", "Cap", "/proc/self/status"), 0),
    (("exec", "--no-new-privs", "one", "grep", "NoNewPrivs", "/proc/self/status"), 0),
    (("update", "--memory", "x", "one"), 1), (("update", "--memory", "64M", "--pids-limit", "30", "one"), 0),
    (("exec", "one", "grep", "", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/pids.max"), 0),
    (("pause", "one"), 0), (("state", "one"), 0), (("exec", "one", "id"), 255), (("resume", "one"), 0),
    (("resume", "one"), 1), (("kill", "-a", "one", "9"), 0),
)  # fmt: skip
STOPPED = (
    (("state", "one"), 0), (("kill", "one"), 1), (("kill", "-a", "one"), 0), (("exec", "one", "id"), 255),
    (("pause", "one"), 1), (("start", "one"), 1), (("events", "--stats", "one"), 1), (("delete", "one"), 0),
    (("list", "-q"), 0),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)  # some seventy programs, one after the other
def test_a_containers_life_is_told_alike(both: tuple[Line, Line]) -> None:
    for line in both:
        document = config("sleep", "1000")
        document["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
        line.write(document)
        line("create", "one")
    for words, code in (*CREATED, (("start", "one"), 0), *RUNNING):
        ours, theirs = answers(both, *words, code=code)
        assert ours == theirs, words
    for line in both:
        ended(line)
    for words, code in STOPPED:
        ours, theirs = answers(both, *words, code=code)
        assert ours == theirs, words


def ended(line: Line) -> None:
    """Wait until the container is over."""
    while json.loads(line("state", "one"))["status"] != "stopped":
        continue


def test_a_container_looks_alike_from_inside(both: tuple[Line, Line]) -> None:
    program = (
        "grep -E 'Cap|NoNew|Uid|Gid|Groups|Sig|Umask' /proc/self/status; env; pwd; ls -l /dev | grep -v total; "
        "ls /sys/fs/cgroup; cat /proc/self/limits; mount | sed 's/,size=[0-9]*k,nr_inodes.*//' | sort"
    )
    printed = []
    for line in both:
        line.write(config("sh", "-c", program, noNewPrivileges=True, user={"uid": 3, "gid": 4, "additionalGids": [5]}))
        text = line("run", "one").replace(line.group, "GROUP")
        printed.append(re.sub(r"\w{3} +\d+ +\d+:\d+ ", "", text).splitlines())
    ours, theirs = printed
    # Stricter: runc 1.1 leaves the shelf of the hierarchies writable although the mount is asked to be read-only.
    theirs = [row.replace("(rw", "(ro") if row.startswith("tmpfs on /sys/fs/cgroup ") else row for row in theirs]
    assert ([row for row in ours if row not in theirs], [row for row in theirs if row not in ours]) == ([], [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--systemd-cgroup", "list"), "--systemd-cgroup is not supported by this runtime"),
        (("--criu", "x", "list"), "--criu is not supported"),
        (("create", "--no-pivot", "one"), "--no-pivot is not supported"),
        (("exec", "--cgroup", "x", "one", "true"), "--cgroup is not supported"),
        (("run", "--no-subreaper", "one"), "--no-subreaper is not supported"),
        (("update", "--l3-cache-schema", "x", "one"), "--l3-cache-schema is not supported"),
        (("checkpoint", "one"), "checkpoints are not supported"),
    ],
)
def test_what_runc_has_beside_is_refused_by_name(line: Line, words: tuple[str, ...], message: str) -> None:
    assert message in line(*words, code=1)


def test_failures_go_to_the_log_that_is_asked_for(line: Line, tmp_path: Path) -> None:
    printed = line("--log", str(tmp_path / "log"), "--log-format", "json", "start", "nope", code=1)
    entry = json.loads((tmp_path / "log").read_text())
    assert (entry["level"], entry["msg"]) == ("error", "container does not exist")
    assert printed == "container does not exist\n"


def test_descriptors_are_passed_on(line: Line) -> None:
    line.write(config("sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd"))
    ends = []
    for text in (b"first\n", b"second\n"):
        out, into = os.pipe()
        os.write(into, text)
        os.close(into)
        ends.append(out)
    program = ["bash", "-c", f'exec "$@" 3<&{ends[0]} 4<&{ends[1]}', "sh", *line.program, "--root", str(line.state)]
    done = subprocess.run(
        [*program, "run", "--preserve-fds", "2", "one"],
        pass_fds=ends, capture_output=True, cwd=line.bundle, check=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    for end in ends:
        os.close(end)
    assert done.stdout.decode().split() == ["first", "second", "0", "1", "2", "3", "4", "5"]
    assert "file descriptor 3 is not open" in line("run", "--preserve-fds", "1", "one", code=1)


def test_a_terminal_of_our_own_is_served_in_the_foreground(line: Line) -> None:
    line.write(config("sh", "-c", "tty; exit 4", tty=True))
    assert line("run", "one", code=4) == "/dev/pts/0\n"
    assert "cannot allocate tty if runc will detach without setting console socket" in line("create", "one", code=1)


def test_events_tell_figures_and_the_end(line: Line) -> None:
    line.write(config("sh", "-c", "read line", tty=False))
    line("create", "one")
    (event,) = [json.loads(row) for row in line("events", "--stats", "one").splitlines()]
    assert (event["type"], event["id"], event["data"]["pids"]["current"]) == ("stats", "one", 1)
    assert event["data"]["memory"]["usage"]["usage"] > 0
    assert r"invalid value \"soon\"" in line("events", "--interval", "soon", "one", code=1)
    assert "must be greater than 0" in line("events", "--interval", "0s", "one", code=1)


def test_documents_of_wrong_types_are_refused(line: Line, tmp_path: Path) -> None:
    line.write(config("sleep", "1000"))
    line("create", "one")
    (tmp_path / "bad").write_text('{"args": "true", "cwd": 1}')
    assert "exec failed: invalid process: Expected" in line("exec", "-p", str(tmp_path / "bad"), "one", code=255)
    (tmp_path / "bad").write_text('{"memory": 1}')
    assert "invalid resources: Expected" in line("update", "-r", str(tmp_path / "bad"), "one", code=1)


def test_a_container_has_a_session_keyring_of_its_own(line: Line) -> None:
    """The names are new ones: the kernel forgets the keyrings of ended containers when it finds time."""
    own, none = (f"keys-{line.state.parent.name}-{os.getpid()}-{number}" for number in range(2))
    for name, flags, count in ((own, (), 1), (none, ("--no-new-keyring",), 0)):
        document = config("grep", "-c", f"keyring *_ses.{name}", "/proc/keys")
        document["linux"]["maskedPaths"] = []
        line.write(document)
        assert line("run", *flags, name, code=0 if count else 1) == f"{count}\n"


def test_files_that_are_not_there_are_named_and_leave_nothing(line: Line) -> None:
    line.write(config("true"))
    assert "runc create failed: /nosuch/." in line("create", "--pid-file", "/nosuch/pid", "one", code=1)
    assert "exec failed: container does not exist" in line("exec", "-p", "/nosuch", "one", code=255)
    assert line("list", "-q") == ""
