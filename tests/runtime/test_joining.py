"""Namespaces by choice: user namespaces with maps, clocks of their own, and namespaces joined by path."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pier.kernel import cgroup
from pier.kernel import namespaces as ns
from pier.runtime import isolation, user_namespaces
from pier.runtime.config import Linux
from pier.runtime.namespace_plan import Given, Host, decide
from pier.runtime.steps import Failure
from tests.runtime.bundles import config
from tests.runtime.lines import Line

BASE, SIZE = 200000, 65536
NAMES = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_SETUID"]
WIDE = {"bounding": NAMES, "effective": NAMES, "permitted": NAMES}
MAPS = [{"containerID": 0, "hostID": BASE, "size": SIZE}]
GIVEN = Given({}, "/c", netns=False, seccomp=False, tied=True)
HOST = Host(40, cgroup.Layout({}, "/sys/fs/cgroup", ()))


def kinds(linux: Linux) -> list[str]:
    """The names of the steps."""
    return [type(step).__name__ for step in decide(linux, GIVEN, HOST).steps]


def with_user(document: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    """The document with a user namespace and other namespaces."""
    document["linux"]["namespaces"] += [{"type": "user"}, *more]
    document["linux"] |= {"uidMappings": MAPS, "gidMappings": MAPS}
    return document


def test_a_new_user_namespace_is_made_at_birth_with_its_maps() -> None:
    linux: Linux = {"namespaces": [{"type": "user"}, {"type": "pid"}], "uidMappings": MAPS, "gidMappings": MAPS}  # type: ignore[typeddict-item]
    apart = decide(linux, GIVEN, HOST)
    text = f"0 {BASE} {SIZE}\n"
    assert apart.user
    assert isolation.Fork(ns.CLONE_NEWUSER | ns.CLONE_NEWPID, "/sys/fs/cgroup/c", text, text) in apart.steps


def test_a_user_namespace_is_joined_after_all_others_and_the_group_before() -> None:
    linux: Linux = {"namespaces": [{"type": "user", "path": "/u"}, {"type": "ipc", "path": "/i"}, {"type": "pid"}]}
    assert kinds(linux) == ["EnterUnified", "JoinNamespace", "JoinNamespace", "Fork", "NewNamespaces"]
    joined = [step for step in decide(linux, GIVEN, HOST).steps if isinstance(step, isolation.JoinNamespace)]
    assert [step.path for step in joined] == ["/i", "/u"]


@pytest.mark.parametrize(
    ("linux", "message"),
    [
        ({"namespaces": [{"type": "user"}]}, "no uid mappings found"),
        ({"namespaces": [{"type": "user"}], "uidMappings": MAPS}, "no gid mappings found"),
        ({"namespaces": [], "uidMappings": MAPS}, "USER namespace isn't enabled"),
        ({"namespaces": [], "timeOffsets": {"boottime": {"secs": 1}}}, "TIME namespace isn't enabled"),
        ({"namespaces": [{"type": "time"}], "timeOffsets": {"realtime": {"secs": 1}}}, "'realtime' has no offset"),
        ({"namespaces": [{"type": "dream"}]}, 'namespace "dream" is not supported'),
    ],
)
def test_what_cannot_be_is_refused(linux: Linux, message: str) -> None:
    with pytest.raises(Failure, match=message):
        decide(linux, GIVEN, HOST)


def test_offsets_become_a_step() -> None:
    step = user_namespaces.time_namespace({"monotonic": {"secs": 5}, "boottime": {"secs": -1, "nanosecs": 7}})
    assert step.offsets == (("boottime", -1, 7), ("monotonic", 5, 0))


@pytest.mark.root
def test_the_root_of_a_user_namespace_is_nobody_outside(line: Line) -> None:
    own(line.bundle / "rootfs")
    program = "cat /proc/self/uid_map; id -u; echo x > /mine; echo y > /dev/null; mount -t tmpfs none /tmp || echo no"
    line.write(with_user(config("sh", "-c", program), {"type": "cgroup"}))
    printed = line("run", "one").split("\n")
    assert printed[0].split() == ["0", str(BASE), str(SIZE)]
    assert printed[1] == "0"
    assert (line.bundle / "rootfs/mine").stat().st_uid == BASE
    assert "no" in printed  # CAP_SYS_ADMIN is not among its capabilities


@pytest.mark.root
def test_an_exec_enters_the_user_and_the_time_namespace(line: Line) -> None:
    own(line.bundle / "rootfs")
    document = with_user(config("sleep", "1000"), {"type": "time"})
    document["linux"]["timeOffsets"] = {"boottime": {"secs": 10_000_000}, "monotonic": {"secs": 3}}
    line.write(document)
    line("create", "one")
    line("start", "one")
    pid = json.loads(line("state", "one"))["pid"]
    assert Path(f"/proc/{pid}").stat().st_uid == BASE
    printed = line("exec", "one", "sh", "-c", "id -u; cat /proc/self/uid_map /proc/uptime").split()
    assert printed[:4] == ["0", "0", str(BASE), str(SIZE)]
    assert float(printed[4]) > 10_000_000


@pytest.mark.root
def test_files_of_the_host_stay_closed_to_the_mapped_root(line: Line, tmp_path: Path) -> None:
    own(line.bundle / "rootfs")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o600)
    document = with_user(config("cat", "/secret", capabilities=WIDE))
    document["mounts"].append({"destination": "/secret", "source": str(tmp_path / "secret"), "options": ["bind"]})
    line.write(document)
    assert "Permission denied" in line("run", "one", code=1)


@pytest.mark.root
def test_a_read_only_mount_of_the_host_cannot_be_made_writable(line: Line, tmp_path: Path) -> None:
    """Flags of the host's mounts are locked for who owns a user namespace, whatever he may do in it."""
    own(line.bundle / "rootfs")
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    subprocess.run(["mount", "--bind", "-o", "ro", shared, shared], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", shared], check=True)
        program = "mount -o remount,bind,rw /shared; touch /shared/x && echo broken"
        document = with_user(config("sh", "-c", program, capabilities=WIDE))
        document["mounts"].append({"destination": "/shared", "source": str(shared), "options": ["rbind"]})
        line.write(document)
        assert "broken" not in line("run", "one", code=1)
        assert not list(shared.iterdir())
    finally:
        subprocess.run(["umount", shared], check=True)


@pytest.mark.root
def test_namespaces_of_a_process_are_joined_by_path(line: Line) -> None:
    """Each joined one is the other's, each new one is its own."""
    other = subprocess.Popen(
        ["unshare", "--net", "--ipc", "--uts", "--user", "--map-root-user", "sh", "-c", "echo ready; exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout
    assert other.stdin
    try:
        assert other.stdout.readline() == b"ready\n"
        expected = {kind: os.readlink(f"/proc/{other.pid}/ns/{kind}") for kind in ("net", "ipc", "uts", "user")}
        document = config("sh", "-c", "for n in net ipc uts user pid; do readlink /proc/self/ns/$n; done")
        del document["hostname"]
        document["mounts"] = [
            mount for mount in document["mounts"] if mount["type"] not in ("sysfs", "cgroup", "devpts")
        ]
        paths = {"network": "net", "ipc": "ipc", "uts": "uts", "user": "user"}
        document["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}] + [
            {"type": kind, "path": f"/proc/{other.pid}/ns/{name}"} for kind, name in paths.items()
        ]
        document["linux"]["maskedPaths"], document["linux"]["readonlyPaths"] = [], []
        line.write(document)
        printed = line("run", "one").split()
        assert printed[:4] == list(expected.values())
        assert printed[4] != os.readlink("/proc/self/ns/pid")
    finally:
        other.stdin.close()
        other.wait(10)
        other.stdout.close()


@pytest.mark.root
def test_a_namespace_that_is_gone_is_refused(line: Line) -> None:
    document = config("true")
    document["linux"]["namespaces"][1] = {"type": "network", "path": "/proc/self/ns/nosuch"}
    line.write(document)
    assert "error joining namespace /proc/self/ns/nosuch: no such file or directory" in line("run", "one", code=1)


def own(tree: Path) -> None:
    """Give a root file system to the mapped root."""
    subprocess.run(["chown", "-R", f"{BASE}:{BASE}", tree], check=True)
