"""What a container must not reach: the host's files, the interpreter, hidden paths; attacks by images and volumes."""

import os
import threading
from pathlib import Path

import pytest

from pier.kernel.libc import call
from pier.runtime import pool
from pier.spec.errors import StartFailed
from tests.runtime.bundles import Runtime, bind, children, config, make_rootfs

pytestmark = pytest.mark.root
_HERE, _RENAME_EXCHANGE = -100, 2


def test_masked_and_read_only_paths_hold(runtime: Runtime) -> None:
    script = (
        "cat /proc/timer_list | wc -c; ls /sys/firmware | wc -l; echo x > /proc/sys/kernel/hostname; "
        "mkdir /sys/x; echo x > /sys/fs/cgroup/memory/cgroup.procs; mount -o remount,rw /sys"
    )
    text = runtime.output(config("sh", "-c", script))
    assert text.startswith("0\n0\n")
    assert text.count("Read-only file system") >= 2
    assert "mount: permission denied" in text


def test_only_dockers_device_nodes_are_there(runtime: Runtime) -> None:
    names = runtime.output(config("ls", "/dev")).split()
    assert names == [
        "fd",
        "full",
        "mqueue",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    ]


def test_the_interpreter_and_its_libraries_lie_on_read_only_mounts(runtime: Runtime) -> None:
    """CVE-2019-5736: what a container can reach by /proc/PID/exe or map_files must never be writable."""
    runtime.end(runtime.launch(config("true")))
    waiting = children(runtime.launcher.spawner_pid)
    processes = [runtime.launcher.spawner_pid, *waiting, *(pid for keeper in waiting for pid in children(keeper))]
    assert len(processes) > 4
    for pid in processes:
        files = [Path(f"/proc/{pid}/exe"), *Path(f"/proc/{pid}/map_files").iterdir()]
        for file in files:
            if os.readlink(file).startswith(("/dev/zero", "/memfd:", "anon")):
                continue
            assert os.statvfs(file).f_flag & os.ST_RDONLY, f"{file} -> {os.readlink(file)}"


def test_a_container_that_executes_itself_finds_only_its_own(runtime: Runtime) -> None:
    text = runtime.output(config("/proc/self/exe", "sh", "-c", "echo ran"))
    assert "python" not in text.lower() or "read-only" in text.lower()


@pytest.mark.parametrize("target", ["/proc", "/proc/self/attr/exec", "//proc/./sys"])
def test_volumes_inside_proc_are_refused(runtime: Runtime, tmp_path: Path, target: str) -> None:
    document = config("true")
    document["mounts"].append(bind(tmp_path, target))
    with pytest.raises(StartFailed, match="cannot be mounted because it is inside /proc"):
        runtime.launch(document)


def test_proc_behind_a_link_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    runtime.rootfs = make_rootfs(tmp_path / "evil")
    (runtime.rootfs / "elsewhere").mkdir()
    (runtime.rootfs / "proc").symlink_to("/elsewhere")
    with pytest.raises(StartFailed, match="must be mounted on ordinary directory"):
        runtime.launch(config("true"))


@pytest.mark.parametrize("link", ["absolute", "relative"])
@pytest.mark.parametrize("name", ["dev", "etc", "sys"])
def test_links_of_an_image_stay_inside_it(runtime: Runtime, tmp_path: Path, name: str, link: str) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    runtime.rootfs = make_rootfs(tmp_path / "evil")
    path = runtime.rootfs / name
    if path.exists():
        path.rename(runtime.rootfs / "moved")
    path.symlink_to(canary if link == "absolute" else "../../../../../../.." + str(canary))
    document = config("true", cwd=f"/{name}/work")
    document["mounts"].append(bind(runtime.rootfs / "bin", f"/{name}/mounted"))
    try:
        runtime.end(runtime.launch(document))
    except StartFailed:
        pass
    assert list(canary.iterdir()) == []


def test_a_volumes_target_swapped_for_a_link_mounts_nothing_outside(runtime: Runtime, tmp_path: Path) -> None:
    """CVE-2021-30465: the target lies in a volume in which somebody exchanges a directory and a link all the time."""
    volume, canary = tmp_path / "volume", tmp_path / "canary"
    volume.mkdir()
    canary.mkdir()
    (volume / "a").mkdir()
    (volume / "b").symlink_to("/../../../../.." + str(canary))
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            call("renameat2", _HERE, bytes(volume / "a"), _HERE, bytes(volume / "b"), _RENAME_EXCHANGE)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        for number in range(25):
            document = config("true")
            document["mounts"] += [bind(volume, "/volume"), bind(runtime.rootfs / "bin", "/volume/a")]
            try:
                runtime.end(runtime.launch(document, f"c{number}"))
            except StartFailed:
                continue
    finally:
        over.set()
        racer.join()
    assert list(canary.iterdir()) == []
    assert str(canary) not in Path("/proc/self/mountinfo").read_text()


def test_a_null_device_of_the_images_own_is_not_used_for_masks(runtime: Runtime, tmp_path: Path) -> None:
    """CVE-2025-31133: without a /dev of ours, the image's /dev/null must be the null device."""
    runtime.rootfs = make_rootfs(tmp_path / "evil")
    (runtime.rootfs / "dev").mkdir()
    (runtime.rootfs / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    document = config("true")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    document["mounts"] = [document["mounts"][0], bind(tmp_path / "dev", "/dev")]
    with pytest.raises(StartFailed, match="error during container init"):
        runtime.launch(document)


def test_a_working_directory_in_proc_does_not_reach_the_host(runtime: Runtime) -> None:
    for number in range(3, 12):
        with pytest.raises(StartFailed):
            runtime.launch(config("ls", cwd=f"/proc/self/fd/{number}"))


def test_nothing_is_imported_or_opened_as_code_after_the_fork(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2019-14271 in Python clothes: an import inside the container would run the container's code as the host."""
    report = tmp_path / "report"
    hook = (
        "import os, sys; sys.path.insert(0, {source!r}); from pier.runtime import spawner\n"
        "prepare = spawner.prepare\n"
        "def hook(event, arguments, banned=('import', 'compile', 'exec', 'ctypes.dlopen', 'marshal.loads')):\n"
        "    if event in banned:\n"
        f"        descriptor = os.open({str(report)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "        os.write(descriptor, (event + ' ' + repr(arguments)[:200] + '\\n').encode())\n"
        "def watched(title):\n"
        "    facts = prepare(title)\n"
        "    sys.addaudithook(hook)\n"
        "    return facts\n"
        "spawner.prepare = watched\n"
        "spawner.main()\n"
    )
    monkeypatch.setattr(
        pool, "_SPAWNER", hook.replace("{", "{{").replace("}", "}}").replace("{{source!r}}", "{source!r}")
    )
    runtime.run(runtime.launcher.close())
    runtime.start()
    document = config("sh", "-c", "echo 1", tty=True)
    document["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    document["linux"]["resources"] = {"memory": {"limit": 1 << 28}}
    runtime.end(runtime.launch(document))
    keeper = runtime.launch(config("sleep", "1000"), "c2")
    runtime.end(runtime.exec(keeper, "true"))
    with pytest.raises(StartFailed):
        runtime.exec(keeper, "nosuch")
    with pytest.raises(StartFailed):
        runtime.launch(config("nosuch"), "c3")
    assert not report.exists(), report.read_text()


def test_mounts_stay_in_the_containers_namespace(runtime: Runtime) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    keeper = runtime.launch(config("sleep", "1000"))
    own = {line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(runtime.directory) in line}
    assert own <= set(before.splitlines())
    inside = Path(f"/proc/{keeper.pid}/mountinfo").read_text().splitlines()
    kinds = {line.partition(" - ")[2].split()[0] for line in inside}
    assert kinds <= {"overlay", "proc", "tmpfs", "devpts", "sysfs", "cgroup", "cgroup2", "mqueue"}
