"""Containers are started on the real kernel: output, ends, failures, and what the program finds."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest

from pier.kernel import cgroup
from pier.runtime.state import read_exit
from pier.spec.errors import InvalidParameter, StartFailed
from tests.runtime.bundles import CAPABILITIES, Runtime, bind, config

pytestmark = pytest.mark.root
_FAILED = (
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: {}: unknown"
)


def test_output_goes_to_the_log_and_the_exit_code_to_the_record(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sh", "-c", "echo out; echo err >&2; exit 7"))
    end = runtime.end(keeper)
    lines = [json.loads(line) for line in (runtime.directory / "c1/log.json").read_text().splitlines()]
    assert sorted((line["log"], line["stream"]) for line in lines) == [("err\n", "stderr"), ("out\n", "stdout")]
    assert (end.code, end.oom, end.error) == (7, False, "")
    assert read_exit(runtime.directory / "c1/exit.json") == end
    assert keeper.started_at < end.finished_at


def test_a_signal_ends_with_128_and_its_number(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    runtime.run(keeper.signal(signal.SIGKILL))
    assert runtime.end(keeper).code == 137


def test_nothing_is_left_when_a_container_has_ended(runtime: Runtime) -> None:
    keeper = runtime.launch(config("true"))
    runtime.end(keeper)
    assert runtime.groups() == []
    assert not (runtime.directory / "exec/c1").exists()
    assert not Path(f"/proc/{keeper.pid}").exists()


@pytest.mark.parametrize(
    ("program", "message", "code"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH', 127),
        ("/nosuch", 'exec: "/nosuch": stat /nosuch: no such file or directory', 127),
        ("./nosuch", 'exec: "./nosuch": stat ./nosuch: no such file or directory', 127),
        ("/bin", 'exec: "/bin": permission denied', 126),
        ("/bin/unexecutable", 'exec: "/bin/unexecutable": permission denied', 126),
        ("unexecutable", 'exec: "unexecutable": executable file not found in $PATH', 127),
    ],
)
def test_a_program_that_cannot_start_is_told_in_dockers_words(
    runtime: Runtime, program: str, message: str, code: int
) -> None:
    with pytest.raises(StartFailed) as failure:
        runtime.launch(config(program))
    assert (failure.value.message, failure.value.code) == (_FAILED.format(message), code)
    assert runtime.groups() == []
    assert not (runtime.directory / "exec/c1").exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("garbage", "exec /bin/garbage: exec format error\n"),
        ("badscript", "exec /bin/badscript: no such file or directory\n"),
    ],
)
def test_a_program_that_the_kernel_refuses_has_started(runtime: Runtime, program: str, message: str) -> None:
    keeper = runtime.launch(config(program))
    assert runtime.end(keeper).code == 1
    assert runtime.log() == message


def test_other_failures_are_told_too(runtime: Runtime) -> None:
    document = config("true")
    document["linux"]["sysctl"] = {"net.foo": "1"}
    with pytest.raises(StartFailed) as failure:
        runtime.launch(document)
    message = "error during container init: open /proc/sys/net/foo: no such file or directory"
    assert failure.value.message == _FAILED.format(message)
    with pytest.raises(StartFailed, match="error setting rlimit type 7: operation not permitted"):
        runtime.launch(config("true", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]))
    with pytest.raises(InvalidParameter):
        runtime.launch(config("true"), config=b"{")


def test_the_program_holds_three_descriptors_and_nothing_else(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    assert sorted(os.listdir(f"/proc/{keeper.pid}/fd")) == ["0", "1", "2"]
    assert os.readlink(f"/proc/{keeper.pid}/cwd") == os.readlink(f"/proc/{keeper.pid}/root") == "/"


def test_the_program_is_alone_in_its_namespaces(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    for name in ("mnt", "net", "uts", "pid", "ipc"):
        assert os.readlink(f"/proc/{keeper.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")
    assert "box" in runtime.output(config("hostname"), "c2")


def test_identity_is_as_asked(runtime: Runtime) -> None:
    user = {"uid": 1000, "gid": 1001, "additionalGids": [1001, 2002], "umask": 0o27}
    text = runtime.output(config("sh", "-c", "id; umask; grep -E 'Cap|NoNew|Groups' /proc/self/status", user=user))
    assert "uid=1000 gid=1001 groups=1001,2002" in text
    assert "0027" in text
    assert "Groups:\t1001 2002" in text
    assert "CapEff:\t0000000000000000" in text
    assert "CapInh:\t0000000000000000" in text
    assert "CapAmb:\t0000000000000000" in text


def test_root_has_dockers_capabilities_and_no_inheritable_ones(runtime: Runtime) -> None:
    text = runtime.output(config("grep", "Cap", "/proc/self/status"))
    assert len(CAPABILITIES) == 14
    for name, mask in (("Prm", "a80425fb"), ("Eff", "a80425fb"), ("Bnd", "a80425fb"), ("Inh", "0"), ("Amb", "0")):
        assert f"Cap{name}:\t{mask:0>16}" in text


def test_no_new_privileges_is_set_when_asked(runtime: Runtime) -> None:
    assert "NoNewPrivs:\t1" in runtime.output(config("grep", "NoNew", "/proc/self/status", noNewPrivileges=True))


def test_a_missing_working_directory_is_made(runtime: Runtime) -> None:
    assert runtime.output(config("pwd", cwd="/made/for/it")) == "/made/for/it\n"


@pytest.mark.parametrize("locked", [False, True])
def test_the_seccomp_filter_holds(runtime: Runtime, *, locked: bool) -> None:
    document = config("sh", "-c", "mkdir /x; echo $?", noNewPrivileges=locked)
    syscalls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    document["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls}
    text = runtime.output(document)
    assert "Operation not permitted" in text
    assert text.endswith("1\n")


def test_rlimits_and_sysctls_are_set(runtime: Runtime) -> None:
    document = config(
        "sh", "-c", "ulimit -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 123, "hard": 124}],
    )  # fmt: skip
    document["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "77"}
    assert runtime.output(document) == "123\n77\n"


def test_the_memory_limit_kills_and_is_told(runtime: Runtime) -> None:
    document = config("sh", "-c", "head -c 64000000 /dev/zero | tail | wc -c; sleep 1000")
    document["process"]["args"] = ["tail", "/dev/zero"]
    document["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    if not cgroup.detect().directory("memory", "/"):
        pytest.skip("no memory controller")
    end = runtime.end(runtime.launch(document))
    assert (end.code, end.oom) == (137, True)


def test_the_group_is_the_containers_own(runtime: Runtime) -> None:
    text = runtime.output(config("cat", "/proc/self/cgroup"))
    assert {line.split(":")[2] for line in text.splitlines()} == {f"{runtime.parent}/c1"}


def test_init_binary_runs_the_program_as_its_child(runtime: Runtime, tmp_path: Path) -> None:
    wrapper = tmp_path / "init"
    wrapper.write_text('#!/bin/sh\nshift\necho "init of $*"\nexec "$@"\n')
    wrapper.chmod(0o755)
    assert runtime.output(config("echo", "hello"), init_binary=str(wrapper)) == "init of echo hello\nhello\n"


def test_binds_are_mounted_with_their_options(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("content\n")
    document = config("sh", "-c", "cat /data/file /made/one; touch /data/new; touch /ro/new")
    source = tmp_path / "source"
    document["mounts"] += [bind(source, "/data"), bind(source, "/ro", "ro"), bind(source / "file", "/made/one")]
    assert runtime.output(document) == "content\ncontent\ntouch: /ro/new: Read-only file system\n"
    assert (source / "new").exists()


def test_a_directory_is_not_mounted_on_a_file(runtime: Runtime, tmp_path: Path) -> None:
    document = config("true")
    document["mounts"] += [bind(tmp_path, "/etc/passwd")]
    with pytest.raises(StartFailed, match="not a directory: unknown: Are you trying to mount a directory onto a file"):
        runtime.launch(document)


def test_a_shared_pid_namespace_is_joined(runtime: Runtime) -> None:
    first = runtime.launch(config("sleep", "1000"), "c1")
    document = config("ps")
    document["linux"]["namespaces"][3]["path"] = f"/proc/{first.pid}/ns/pid"
    assert "sleep 1000" in runtime.output(document, "c2")


def test_the_hosts_pid_namespace_is_kept(runtime: Runtime) -> None:
    document = config("sh", "-c", "echo $$")
    document["linux"]["namespaces"] = [kind for kind in document["linux"]["namespaces"] if kind["type"] != "pid"]
    keeper = runtime.launch(document)
    runtime.end(keeper)
    assert runtime.log() == f"{keeper.pid}\n"


def test_what_outlives_init_in_the_hosts_namespace_is_killed(runtime: Runtime) -> None:
    document = config("sh", "-c", "sleep 1000 & echo $!")
    document["linux"]["namespaces"] = [kind for kind in document["linux"]["namespaces"] if kind["type"] != "pid"]
    pid = int(runtime.output(document))
    assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    assert runtime.groups() == []


def test_the_exec_directory_is_for_root_only(runtime: Runtime) -> None:
    runtime.launch(config("sleep", "1000"))
    assert stat.S_IMODE((runtime.directory / "exec/c1").stat().st_mode) == 0o700
    assert [path.name for path in (runtime.directory / "exec/c1").iterdir()] == ["keeper.sock"]
