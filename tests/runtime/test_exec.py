"""More processes in a running container: where they are, who they are, how they fail and end."""

import os
import signal
import socket

import pytest

from pier.spec.errors import Conflict, StartFailed
from tests.runtime.bundles import Runtime, client, config

pytestmark = pytest.mark.root
_FAILED = "OCI runtime exec failed: exec failed: unable to start container process: {}: unknown"


def test_an_exec_is_in_the_container(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with client() as one:
        command = "ps; hostname; cat /proc/self/cgroup; id; grep NoNew /proc/self/status; exit 3"
        process = runtime.exec(keeper, "sh", "-c", command, clients=(one.attachment,))
        one.handed_over()
        text = one.rest().decode()
        assert runtime.end(process).code == 3
    assert "sleep 1000" in text
    assert "box\n" in text
    assert "uid=0" in text
    groups = [line.split(":")[2] for line in text.splitlines() if line.count(":") == 2 and line[0].isdigit()]
    assert set(groups) == {f"{runtime.parent}/c1"}


def test_an_exec_is_in_all_namespaces_with_three_descriptors(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    process = runtime.exec(keeper, "sleep", "1000")
    for name in ("mnt", "net", "uts", "pid", "ipc", "cgroup"):
        assert os.readlink(f"/proc/{process.pid}/ns/{name}") == os.readlink(f"/proc/{keeper.pid}/ns/{name}")
    assert sorted(os.listdir(f"/proc/{process.pid}/fd")) == ["0", "1", "2"]
    runtime.run(process.signal(signal.SIGTERM))
    assert runtime.end(process).code == 143


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH'),
        ("/nosuch", 'exec: "/nosuch": stat /nosuch: no such file or directory'),
        ("/bin/unexecutable", 'exec: "/bin/unexecutable": permission denied'),
    ],
)
def test_a_failed_exec_is_told_in_dockers_words(runtime: Runtime, program: str, message: str) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with pytest.raises(StartFailed) as failure:
        runtime.exec(keeper, program)
    assert (failure.value.message, failure.value.code) == (_FAILED.format(message), 126)


def test_a_missing_directory_is_not_made_for_an_exec(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with pytest.raises(StartFailed) as failure:
        runtime.exec(keeper, "true", cwd="/nodir")
    expected = 'chdir to cwd ("/nodir") set in config.json failed: no such file or directory'
    assert failure.value.message == _FAILED.format(expected)


def test_an_exec_has_a_terminal_of_the_containers(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with client() as one:
        runtime.exec(keeper, "sh", "-c", "tty; stty size", clients=(one.attachment,), terminal=True, size=(7, 8))
        one.handed_over()
        assert one.rest() == b"/dev/pts/0\r\n7 8\r\n"


def test_an_execs_input_ends_with_its_clients(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with client(stdin=True) as one:
        process = runtime.exec(keeper, "cat", clients=(one.attachment,), open_stdin=True)
        one.handed_over()
        one.socket.sendall(b"through cat\n")
        one.socket.shutdown(socket.SHUT_WR)
        assert one.rest() == b"through cat\n"
        assert runtime.end(process).code == 0


def test_an_exec_ends_though_its_children_hold_its_output(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    with client() as one:
        process = runtime.exec(keeper, "sh", "-c", "sleep 1000 & echo done", clients=(one.attachment,))
        one.handed_over()
        assert one.rest() == b"done\n"
        assert runtime.end(process).code == 0


def test_an_execs_user_is_as_asked_and_has_no_capabilities(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    sets = {name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted")}
    with client() as one:
        user = {"uid": 1000, "gid": 1000, "additionalGids": [1000]}
        command = ("grep", "-E", "Cap|Uid|Gid", "/proc/self/status")
        runtime.exec(keeper, *command, clients=(one.attachment,), user=user, capabilities=sets)
        one.handed_over()
        text = one.rest().decode()
    assert "Uid:\t1000\t1000\t1000\t1000" in text
    assert "CapEff:\t0000000000000000" in text
    assert "CapBnd:\t0000000000000001" in text


def test_an_exec_has_the_containers_filter_also_after_a_restart(runtime: Runtime) -> None:
    document = config("sleep", "1000")
    syscalls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    document["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls}
    keeper = runtime.launch(document)
    assert runtime.end(runtime.exec(keeper, "mkdir", "/x")).code == 1
    runtime.run(runtime.launcher.close())
    runtime.start()
    adopted = runtime.run(runtime.launcher.adopt(runtime.directory / "exec/c1"))
    assert adopted is not None
    assert runtime.end(runtime.exec(adopted, "mkdir", "/x")).code == 1
    assert runtime.end(runtime.exec(adopted, "true")).code == 0
    adopted.close()


def test_an_exec_in_an_ended_container_is_refused(runtime: Runtime) -> None:
    keeper = runtime.launch(config("true"))
    runtime.end(keeper)
    with pytest.raises(Conflict):
        runtime.exec(keeper, "true")


def test_an_exec_dies_with_its_container(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    process = runtime.exec(keeper, "sleep", "1000")
    runtime.run(keeper.signal(signal.SIGKILL))
    assert runtime.end(keeper).code == 137
    assert runtime.end(process).code == 137
