"""Pushes to a real registry: Docker's words, the same bytes again, and the way through other programs and back."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


def manifest(registry: Registry, name: str, tag: str) -> bytes:
    """What the registry has under a tag, byte for byte."""
    done = run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.address}/{name}:{tag}"])
    return done.ok().encode()


def shape(text: str, name: str) -> list[str]:
    """Docker's lines of a push without digests, sizes and the name."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "<id>", text.replace(name, "<name>"))
    text = re.sub(r"sha256:[0-9a-f]{64}", "<digest>", text)
    return [re.sub(r"size: \d+", "size: <n>", line) for line in text.splitlines()]


@pytest.mark.peer
def test_a_push_reads_as_dockers_and_is_for_nothing_the_second_time(engine: Engine, registry: Registry) -> None:
    name = f"{registry.address}/push/{type(engine).__name__.lower()}"
    engine.docker("tag", "busybox", f"{name}:1").ok()
    told = engine.docker("push", f"{name}:1").ok()
    # Both engines push to one registry: who has pushed the layer elsewhere before mounts it.
    assert [re.sub("Mounted from .*", "Pushed", line) for line in shape(told, name)] == [
        "The push refers to repository [<name>]",
        "<id>: Preparing",
        "<id>: Pushed",
        "1: digest: <digest> size: <n>",
    ]
    digest = told.rpartition("digest: ")[2].partition(" ")[0]
    again = engine.docker("push", f"{name}:1").ok()
    assert "Layer already exists" in again
    assert digest in again
    assert f"{name}@{digest}" in engine.docker("inspect", "-f", "{{.RepoDigests}}", f"{name}:1").ok()
    engine.docker("tag", "busybox", f"{name}-other:1").ok()
    assert "Mounted from push/" in engine.docker("push", f"{name}-other:1").ok()
    engine.docker("tag", "busybox", f"{name}:2").ok()
    assert len(re.findall("digest: sha256:", engine.docker("push", "-a", name).ok())) == 2
    engine.docker("rmi", f"{name}:1", f"{name}:2", f"{name}-other:1").ok()


@pytest.mark.peer
def test_what_is_not_here_is_said_as_docker_says_it(engine: Engine, registry: Registry) -> None:
    name = f"{registry.address}/push/missing"
    answer = engine.docker("push", name)
    assert answer.code == 1
    assert answer.stderr.strip() == f"An image does not exist locally with the tag: {name}"
    engine.docker("tag", "busybox", f"{name}:1").ok()
    answer = engine.docker("push", f"{name}:2")
    assert (answer.code, answer.stderr.strip()) == (1, f"tag does not exist: {name}:2")
    engine.docker("rmi", f"{name}:1").ok()


def test_a_push_of_another_platform_is_refused(pierd: Pierd, registry: Registry) -> None:
    name = f"{registry.address}/push/platform:1"
    pierd.docker("tag", "busybox", name).ok()
    answer = pierd.docker("push", "--platform", "linux/s390x", name)
    assert answer.code == 1
    assert "does not provide the specified platform (linux/s390x)" in answer.stderr
    pierd.docker("rmi", name).ok()


def test_a_layer_that_is_kept_as_bzip2_is_pushed_as_gzip_once(
    fresh_pierd: Pierd, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"content" * 1000)
    subprocess.run(["tar", "-cjf", tmp_path / "x.tar.bz2", "-C", tmp_path, "file"], check=True)
    name = f"{registry.address}/push/bzip2:1"
    fresh_pierd.docker("import", str(tmp_path / "x.tar.bz2"), name).ok()
    told = fresh_pierd.docker("push", name).ok()
    assert told.splitlines()[-1] == fresh_pierd.docker("push", name).ok().splitlines()[-1]
    layers = json.loads(manifest(registry, "push/bzip2", "1"))["layers"]
    assert layers[0]["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar.gzip"
    fresh_pierd.docker("rmi", "-f", name).ok()
    fresh_pierd.docker("pull", name).ok()
    assert len(list((fresh_pierd.data_root / "blobs" / "sha256").iterdir())) == 2


@pytest.fixture
def podman() -> Iterator[list[str]]:
    """The words that begin podman's command line, with a store of its own; its paths must be short."""
    root = Path(tempfile.mkdtemp(prefix="pier-podman-"))
    yield ["podman", "--root", str(root / "root"), "--runroot", str(root / "run"), "--storage-driver", "vfs"]
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("layout", ["v2s2", "oci"])
def test_an_image_goes_through_every_program_and_comes_back_the_same(
    fresh_pierd: Pierd, dockerd: Engine, registry: Registry, busybox_tar: Path, podman: list[str], layout: str
) -> None:
    """Pier → registry → skopeo → registry → podman → registry → dockerd (schema 2) → Pier → registry."""
    base = f"{registry.address}/round/{layout}"
    fresh_pierd.load(busybox_tar, "busybox:latest")
    fresh_pierd.docker("tag", "busybox", f"{base}:pier").ok()
    fresh_pierd.docker("push", f"{base}:pier").ok()
    identity = fresh_pierd.docker("inspect", "-f", "{{.Id}}", f"{base}:pier").ok()
    copy = ["skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "-f", layout]
    run([*copy, f"docker://{base}:pier", f"docker://{base}:skopeo"]).ok()
    run([*podman, "pull", "-q", "--tls-verify=false", f"{base}:skopeo"]).ok()
    run([*podman, "tag", f"{base}:skopeo", f"{base}:podman"]).ok()
    run([*podman, "push", "-q", "--tls-verify=false", "-f", layout, f"{base}:podman"]).ok()
    last = "podman"
    if layout == "v2s2":
        dockerd.docker("pull", f"{base}:podman").ok()
        assert dockerd.docker("inspect", "-f", "{{.Id}}", f"{base}:podman").ok() == identity
        dockerd.docker("tag", f"{base}:podman", f"{base}:dockerd").ok()
        dockerd.docker("push", f"{base}:dockerd").ok()
        dockerd.docker("rmi", f"{base}:dockerd", f"{base}:podman").ok()
        last = "dockerd"
    fresh_pierd.docker("rmi", "-f", "busybox", f"{base}:pier").ok()
    fresh_pierd.docker("pull", f"{base}:{last}").ok()
    assert (fresh_pierd.docker("inspect", "-f", "{{.Id}}", f"{base}:{last}").ok() == identity) is (layout == "v2s2")
    fresh_pierd.docker("tag", f"{base}:{last}", f"{base}:back").ok()
    fresh_pierd.docker("push", f"{base}:back").ok()
    assert manifest(registry, f"round/{layout}", "back") == manifest(registry, f"round/{layout}", last)
    assert fresh_pierd.docker("run", "--rm", f"{base}:{last}", "echo", "whole").ok() == "whole"


def test_an_image_goes_from_daemon_to_daemon_without_what_is_there(
    pierd: Pierd, make_pierd: Callable[..., Pierd]
) -> None:
    other = make_pierd(image=False)
    diff_ids = json.loads(pierd.docker("inspect", "-f", "{{json .RootFS.Layers}}", "busybox").ok())
    assert other.api("POST", "/pier/v1/layers/missing", {"Layers": diff_ids}).ok() == {"Missing": diff_ids}
    archive = pierd.api("GET", "/pier/v1/images/busybox/archive")
    assert (
        other.api("POST", "/images/load", raw=archive.body, headers={"Content-Type": "application/x-tar"}).status == 200
    )
    assert other.docker("run", "--rm", "busybox", "echo", "there").ok() == "there"
    assert other.api("POST", "/pier/v1/layers/missing", {"Layers": diff_ids}).ok() == {"Missing": []}
    small = pierd.api("GET", f"/pier/v1/images/busybox/archive?without={diff_ids[0]}")
    assert len(small.body) < 20_000 < len(archive.body)
    other.docker("tag", "busybox", "kept").ok()
    other.docker("rmi", "busybox").ok()
    assert (
        other.api("POST", "/images/load", raw=small.body, headers={"Content-Type": "application/x-tar"}).status == 200
    )
    assert other.docker("run", "--rm", "busybox", "echo", "there").ok() == "there"
