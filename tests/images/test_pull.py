"""Pulls: what arrives, what is told on the way, and what a broken or hostile registry cannot do."""

import asyncio
import gzip
import json
import os
import ssl
import subprocess
from pathlib import Path

import pytest
import zstandard
from aiohttp import web

from pier.images.image import Image
from pier.images.images import Images
from pier.images.progress import Progress
from pier.images.pull import pull
from pier.registry.registries import Registries
from pier.spec import manifests
from pier.spec.errors import InvalidParameter, NotFound, Unavailable
from tests.images.tars import Entry, tar
from tests.registry.fake import FakeRegistry, digest_of
from tests.support.registry import Registry

pytestmark = pytest.mark.root

BASE = tar(Entry(b"etc/os-release", b"Fake"))
TOP = tar(Entry(b"top", os.urandom(700_000)))


async def fetch(registry: FakeRegistry, images: Images, name: str = "x", lines: list[Progress] | None = None) -> Image:
    """Pull a name from the running fake."""
    report = (lines if lines is not None else []).append
    reference = f"{registry.address}/{name}"
    return await pull(reference, images=images, registries=Registries(), progress=report, platform="linux/amd64")


def run(registry: FakeRegistry, images: Images, name: str = "x", lines: list[Progress] | None = None) -> Image:
    """The same with the fake started for it."""

    async def work() -> Image:
        async with registry:
            return await fetch(registry, images, name, lines)

    return asyncio.run(work())


def clean(images: Images) -> None:
    """Nothing half-made is left: no tree, no blob, no temporary file."""
    assert os.listdir(images.layout.layers) == []
    assert os.listdir(images.layout.blobs) == []
    assert [name for name in os.listdir(images.layout.tmp) if not name.startswith("blob-")] == []


def test_an_image_arrives_with_dockers_words(images: Images) -> None:
    registry, lines = FakeRegistry(), []
    digest = registry.add("latest", [BASE, TOP], config={"Cmd": ["sh"], "Env": ["A=b"]})
    image = run(registry, images, lines=lines)
    assert image.config.run.cmd == ["sh"]
    assert image.tags == (f"{registry.address}/x:latest",)
    assert image.digests == (f"{registry.address}/x@{digest}",)
    base, top = images.layer_directories(image)
    assert (base / "etc/os-release").read_text() == "Fake"
    assert (top / "top").stat().st_size == 700_000
    texts = [line.status for line in lines]
    assert texts[0] == "Pulling from x"
    assert texts[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {registry.address}/x:latest"]
    for status in (
        "Pulling fs layer",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
    ):
        assert status in texts
    assert images.find(image.id) == images.find(image.id[7:19]) == images.find(f"{registry.address}/x") == image


def test_a_second_pull_finds_everything(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE])
    lines: list[Progress] = []

    async def twice() -> None:
        async with registry:
            await fetch(registry, images)
            await fetch(registry, images, lines=lines)

    asyncio.run(twice())
    texts = [line.status for line in lines]
    assert "Already exists" in texts
    assert texts[-1].startswith("Status: Image is up to date for ")


def test_a_pull_by_digest_gives_no_tag(images: Images) -> None:
    registry = FakeRegistry()
    digest = registry.add("latest", [BASE])
    image = run(registry, images, f"x@{digest}")
    assert image.tags == ()
    assert image.digests == (f"{registry.address}/x@{digest}",)


def test_the_platforms_image_is_chosen_from_an_index(images: Images) -> None:
    registry = FakeRegistry()
    entries = []
    for architecture in ("arm64", "amd64"):
        digest = registry.add("other", [BASE], architecture=architecture)
        platform = {"os": "linux", "architecture": architecture}
        size = len(registry.manifests[digest][0])
        entries.append({"mediaType": manifests.DOCKER_MANIFEST, "digest": digest, "size": size, "platform": platform})
    index = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": entries}
    top = registry.publish("latest", json.dumps(index).encode(), manifests.OCI_INDEX)
    image = run(registry, images)
    assert image.config.architecture == "amd64"
    assert image.digests == (f"{registry.address}/x@{top}",)


def test_another_platforms_image_is_refused(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE], architecture="s390x")
    with pytest.raises(NotFound, match="does not match the specified platform"):
        run(registry, images)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_carried_on(images: Images, ranges: bool) -> None:
    registry = FakeRegistry(ranges=ranges)
    registry.add("latest", [TOP])
    layer = max(registry.blobs.values(), key=len)
    lines: list[Progress] = []

    async def work() -> Image:
        async with registry:
            registry.break_after = [1 << 20, 300_000]  # the configuration goes through, the layer breaks
            return await fetch(registry, images, lines=lines)

    image = asyncio.run(work())
    assert (images.layer_directories(image)[0] / "top").stat().st_size == 700_000
    asked = [seen.headers.get("Range") for seen in registry.seen if digest_of(layer) in seen.path]
    assert asked[0] is None
    assert asked[1] is not None
    assert any(line.status.startswith("Retrying in") for line in lines)


def test_a_blob_that_is_not_its_digests_is_refused_and_not_kept(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE])
    layer = next(digest for digest, blob in registry.blobs.items() if blob[:2] == b"\x1f\x8b")
    registry.blobs[layer] = bytes(reversed(registry.blobs[layer]))

    async def work() -> None:
        async with registry:
            once = Registries(attempts=1)
            await pull(f"{registry.address}/x", images=images, registries=once, progress=lambda _: None)

    with pytest.raises(InvalidParameter, match="filesystem layer verification failed"):
        asyncio.run(work())
    clean(images)
    assert images.list() == []


def test_a_layer_that_is_not_the_configurations_is_refused(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE], rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]})
    with pytest.raises(InvalidParameter, match="don't match image configuration"):
        run(registry, images)
    clean(images)


@pytest.mark.parametrize("diff_ids", [[], ["sha256:../../x"], ["sha256:" + "0" * 64] * 2, ["x"]])
def test_a_configuration_with_other_layers_is_refused(images: Images, diff_ids: list[str]) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE], rootfs={"type": "layers", "diff_ids": diff_ids})
    with pytest.raises(InvalidParameter):
        run(registry, images)
    clean(images)


CONFIG = {"mediaType": manifests.DOCKER_CONFIG, "digest": "sha256:" + "0" * 64, "size": 1}
CONFUSED = {
    "index and manifest": ({"schemaVersion": 2, "manifests": [], "layers": [], "config": CONFIG}, manifests.OCI_INDEX),
    "other media type": ({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "layers": []}, manifests.OCI_MANIFEST),
    "index served as manifest": ({"schemaVersion": 2, "manifests": []}, manifests.DOCKER_MANIFEST),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    "text": ({}, "text/html"),
    "bad digest": (
        {"schemaVersion": 2, "config": {**CONFIG, "digest": "sha256:../../etc/passwd"}, "layers": []},
        manifests.DOCKER_MANIFEST,
    ),
    "negative size": (
        {"schemaVersion": 2, "config": {**CONFIG, "size": -1}, "layers": []},
        manifests.DOCKER_MANIFEST,
    ),
    "not an image": (
        {"schemaVersion": 2, "config": {**CONFIG, "mediaType": "application/vnd.helm"}, "layers": []},
        manifests.DOCKER_MANIFEST,
    ),
}


@pytest.mark.parametrize("name", CONFUSED)
def test_a_confused_manifest_is_refused(images: Images, name: str) -> None:
    document, media_type = CONFUSED[name]
    registry = FakeRegistry()
    registry.publish("latest", json.dumps(document).encode(), media_type)
    with pytest.raises(InvalidParameter):
        run(registry, images)


def test_addresses_in_a_manifest_are_never_asked(images: Images) -> None:
    registry, other = FakeRegistry(), FakeRegistry()
    registry.add("latest", [BASE])
    manifest = json.loads(registry.manifests["latest"][0])

    async def work() -> None:
        async with registry, other:
            layer = manifest["layers"][0]
            layer["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            layer["urls"] = [f"http://{other.address}/v2/x/blobs/{layer['digest']}"]
            registry.publish("latest", json.dumps(manifest).encode(), manifests.DOCKER_MANIFEST)
            await fetch(registry, images)

    asyncio.run(work())
    assert other.seen == []


def test_pulls_at_once_fetch_each_blob_once(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("a", [BASE, TOP])
    registry.add("b", [BASE, TOP], config={"Cmd": ["b"]})

    async def work() -> None:
        registries = Registries()
        async with registry:
            await asyncio.gather(
                *(
                    pull(f"{registry.address}/x:{tag}", images=images, registries=registries, progress=lambda _: None)
                    for tag in "abab"
                )
            )

    asyncio.run(work())
    layers = [digest for digest, blob in registry.blobs.items() if blob[:2] == b"\x1f\x8b"]
    for digest in layers:
        assert sum(digest in seen.path for seen in registry.seen) == 1
    assert len(images.list()) == 2


def test_a_cancelled_pull_leaves_nothing_but_the_part(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [TOP])

    async def work() -> None:
        async with registry:
            started = asyncio.Event()

            def report(line: Progress) -> None:
                if line.status == "Downloading":
                    started.set()

            pulling = asyncio.create_task(
                pull(f"{registry.address}/x", images=images, registries=Registries(), progress=report)
            )
            await started.wait()
            pulling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pulling

    asyncio.run(work())
    assert images.list() == []
    assert os.listdir(images.layout.layers) == []
    assert [name for name in os.listdir(images.layout.tmp) if not name.startswith("blob-")] == []


def test_nothing_is_found_in_dockers_words(images: Images) -> None:
    with pytest.raises(NotFound, match=r"manifest for .*/x:latest not found: manifest unknown: manifest unknown"):
        run(FakeRegistry(), images)
    with pytest.raises(
        InvalidParameter, match=r"invalid reference format: repository name \(library/Bad\) must be lowercase"
    ):
        asyncio.run(pull("Bad", images=images, registries=Registries(), progress=lambda _: None))


def test_a_certificate_that_nobody_signed_is_never_worked_around(images: Images, tmp_path: Path) -> None:
    """CVE-2014-5277: TLS fails, and clear text is not tried.

    With the authority in its directory the pull goes through.
    """
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=pier.invalid", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"{}", headers={"Content-Type": manifests.DOCKER_MANIFEST})

    async def work(trusted: bool) -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        authorities = tmp_path / "certs.d" / host
        authorities.mkdir(parents=True)
        if trusted:
            (authorities / "ca.crt").write_bytes(certificate.read_bytes())
        registries = Registries(certificate_directories=[tmp_path / "certs.d"], loopback_is_insecure=False)
        try:
            await pull(f"{host}/x", images=images, registries=registries, progress=lambda _: None)
        finally:
            await runner.cleanup()

    with pytest.raises(Unavailable, match="failed to verify certificate"):
        asyncio.run(work(False))
    assert asked == []
    with pytest.raises(InvalidParameter, match="unsupported schema version"):
        asyncio.run(work(True))
    assert asked == ["/v2/x/manifests/latest"]


STYLES = {
    "schema 2, gzip": (False, gzip.compress, manifests.DOCKER_LAYER),
    "OCI, gzip": (True, gzip.compress, manifests.OCI_LAYER + "+gzip"),
    "OCI, zstd": (True, zstandard.compress, manifests.OCI_LAYER + "+zstd"),
    "OCI, plain": (True, bytes, manifests.OCI_LAYER),
}


@pytest.mark.parametrize("style", STYLES)
def test_what_skopeo_pushed_to_debians_registry_is_pulled(
    style: str, images: Images, registry: Registry, tmp_path: Path
) -> None:
    oci, compress, layer_type = STYLES[style]
    directory = tmp_path / "image"
    name = f"{registry.address}/style{list(STYLES).index(style)}"
    digest = write_directory(directory, [compress(BASE), compress(TOP)], layer_type=layer_type, oci=oci)
    command = ["skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"dir:{directory}"]
    subprocess.run([*command, f"docker://{name}:v1"], check=True, capture_output=True)
    image = asyncio.run(pull(f"{name}:v1", images=images, registries=Registries(), progress=lambda _: None))
    assert image.digests == (f"{name}@{digest}",)
    assert (images.layer_directories(image)[1] / "top").stat().st_size == 700_000


def write_directory(path: Path, blobs: list[bytes], *, layer_type: str, oci: bool) -> str:
    """An image in skopeo's `dir:` layout; its manifest's digest."""
    path.mkdir()
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}}
    config |= {"rootfs": {"type": "layers", "diff_ids": [digest_of(BASE), digest_of(TOP)]}}
    raw = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST if oci else manifests.DOCKER_MANIFEST,
        "config": {
            "mediaType": manifests.OCI_CONFIG if oci else manifests.DOCKER_CONFIG,
            "size": len(raw),
            "digest": digest_of(raw),
        },
        "layers": [{"mediaType": layer_type, "size": len(blob), "digest": digest_of(blob)} for blob in blobs],
    }
    document = json.dumps(manifest).encode()
    for content in (raw, *blobs):
        (path / digest_of(content)[7:]).write_bytes(content)
    (path / "manifest.json").write_bytes(document)
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    return digest_of(document)
