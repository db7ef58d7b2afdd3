"""Files out of and into containers, running and stopped, and where a path in a volume leads."""

import io
import tarfile
from pathlib import Path

import pytest

from pier.engine.committing import render, run_config_of
from pier.engine.record import Mounted
from pier.engine.roots import volume_of
from pier.spec.containers import ContainerConfig, MountPoint
from pier.spec.image_config import History, ImageConfig, parse
from tests.engine.builders import record
from tests.support.engines import Engine


def test_a_path_in_a_mount_is_looked_up_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    source = str(tmp_path)
    mounts = (
        Mounted(MountPoint("bind", "", source, "/data", RW=True)),
        Mounted(MountPoint("bind", "", source, "/data/inner", RW=False)),
        Mounted(MountPoint("bind", "", f"{source}/file", "/etc/one", RW=True)),
        Mounted(MountPoint("tmpfs", "", "", "/tmpfs")),
    )
    container = record(mounts=mounts)
    assert volume_of(container, "/data/a/b") == (source, "/a/b", True)
    assert volume_of(container, "data/a/") == (source, "/a/", True)
    assert volume_of(container, "/data/../data/inner/x") == (source, "/x", False)
    assert volume_of(container, "/data") == (source, "/", True)
    assert volume_of(container, "/etc/one") == (source, "file", True)
    assert volume_of(container, "/database") is None
    assert volume_of(container, "/tmpfs/x") is None


def tar_of(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def content(answer: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(answer)) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive.getmembers())
        return {name: file.read() if file else b"" for name, file in files}


@pytest.mark.root
@pytest.mark.parametrize("running", [True, False])
def test_files_go_in_and_out(pierd: Engine, running: bool) -> None:
    script = "echo one > /data/one; mkdir -p /dir; ln -s / /dir/up; sleep 100000"
    body = {
        "Image": "busybox",
        "Cmd": ["sh", "-c", script if running else "true"],
        "Volumes": {"/data": {}},
        "HostConfig": {"NetworkMode": "none"},
    }
    pierd.api("POST", "/containers/create?name=copied", body).ok()
    if running:
        pierd.api("POST", "/containers/copied/start").ok()
    put = {"raw": tar_of(**{"a/b": "hello", "c": "x"}), "headers": {"Content-Type": "application/x-tar"}}
    pierd.api("PUT", "/containers/copied/archive?path=/tmp", **put).ok()  # type: ignore[arg-type]
    pierd.api("PUT", "/containers/copied/archive?path=/data", **put).ok()  # type: ignore[arg-type]
    assert content(pierd.api("GET", "/containers/copied/archive?path=/tmp/a").ok())["a/b"] == b"hello"
    assert content(pierd.api("GET", "/containers/copied/archive?path=/data/c").ok()) == {"c": b"x"}
    exported = content(pierd.api("GET", "/containers/copied/export").ok())
    assert exported["tmp/a/b"] == b"hello"
    assert "data/c" not in exported
    assert not any(name.startswith(("proc/", "sys/", "dev/n")) for name in exported)
    missing = pierd.api("GET", "/containers/copied/archive?path=/nope")
    assert (missing.status, missing.message) == (404, "Could not find the file /nope in container copied")
    stat = pierd.api("HEAD", "/containers/copied/archive?path=/tmp/c")
    assert stat.status == 200
    assert "X-Docker-Container-Path-Stat" in stat.headers
    pierd.api("DELETE", "/containers/copied?force=1&v=1").ok()


@pytest.mark.root
def test_an_archive_cannot_leave_the_container(pierd: Engine, tmp_path: Path) -> None:
    """CVE-2018-15664 and CVE-2019-14271: links of the container's lead nowhere but into it."""
    victim = tmp_path / "victim"
    victim.mkdir()
    script = f"mkdir -p {tmp_path}; ln -s {victim} /escape; ln -s ../../../../../../../{victim} /up; sleep 100000"
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script], "HostConfig": {"NetworkMode": "none"}}
    pierd.api("POST", "/containers/create?name=hostile", body).ok()
    pierd.api("POST", "/containers/hostile/start").ok()
    pierd.docker("exec", "hostile", "sh", "-c", "until test -L /up; do sleep 0.02; done").ok()
    for path in ("/escape", "/up"):
        put = {"raw": tar_of(evil="x"), "headers": {"Content-Type": "application/x-tar"}}
        pierd.api("PUT", f"/containers/hostile/archive?path={path}", **put)  # type: ignore[arg-type]
    assert list(victim.iterdir()) == []
    pierd.api("DELETE", "/containers/hostile?force=1").ok()


def test_the_configuration_of_a_committed_image_is_the_containers_with_what_is_laid_over_it() -> None:
    own = ContainerConfig(Hostname="abc", Cmd=["sh"], Env=["A=1"], Labels={"a": "b"}, Tty=True)
    config = run_config_of(own, ContainerConfig(Env=["B=2"]))
    assert (config.cmd, config.env, config.labels, config.hostname) == (["sh"], ["B=2"], {"a": "b"}, "")
    step = History(created="2026-01-01T00:00:00Z", created_by="sh", author="me", comment="why")
    parent = ImageConfig(architecture="amd64", os="linux", history=[History(created_by="first")])
    image = parse(render(parent, ["sha256:" + "1" * 64, "sha256:" + "2" * 64], config, step))
    assert [entry.created_by for entry in image.history or ()] == ["first", "sh"]
    assert (image.author, image.comment, len(image.diff_ids)) == ("me", "why", 2)


@pytest.mark.root
def test_a_commit_keeps_what_the_container_changed(pierd: Engine) -> None:
    script = "echo new > /new; rm -r /usr; echo x > /etc/group"
    pierd.docker("run", "--name", "changed", "--network", "none", "busybox", "sh", "-c", script).ok()
    pierd.docker("commit", "-m", "why", "-c", 'CMD ["cat", "/new"]', "changed", "made:1").ok()
    assert pierd.docker("run", "--rm", "--network", "none", "made:1").ok() == "new"
    kept = pierd.docker("run", "--rm", "--network", "none", "made:1", "sh", "-c", "ls -d /usr; cat /etc/group")
    assert kept.stdout == "x\n"
    pierd.docker("rm", "changed").ok()
    pierd.docker("rmi", "made:1").ok()
