"""An index goes to a registry whole and comes back by its digest; an image goes to another daemon by unix:// and by
ssh://, where a program in place of ssh runs what a shell on the other host would.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import PIER, environment
from tests.support.commands import Result, run
from tests.support.pierd import Pierd
from tests.support.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]
INDEX = "application/vnd.oci.image.index.v1+json"
SSH = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
"""


def put(registry: Registry, path: str, raw: bytes, media_type: str) -> None:
    """Put a manifest or index at the registry."""
    url = f"http://{registry.address}/v2/{path}"
    command = ["curl", "-sSf", "-X", "PUT", "-H", f"Content-Type: {media_type}", "--data-binary", "@-", url]
    run(command, stdin=raw).ok()


def get(registry: Registry, path: str) -> bytes:
    """An index of the registry, byte for byte."""
    url = f"http://{registry.address}/v2/{path}"
    return run(["curl", "-sSf", "-H", f"Accept: {INDEX}", url]).stdout.encode()


def publish(pierd: Pierd, registry: Registry, name: str) -> str:
    """Push busybox, and an index over its manifest under the tag `multi`; the index's digest."""
    pierd.docker("tag", "busybox", f"{registry.address}/{name}:one").ok()
    digest = pierd.docker("push", f"{registry.address}/{name}:one").ok().rpartition("digest: ")[2].partition(" ")[0]
    raw = run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.address}/{name}:one"]).stdout
    entry = {
        "mediaType": json.loads(raw)["mediaType"],
        "digest": digest,
        "size": len(raw.encode()),
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, indent=3).encode()
    put(registry, f"{name}/manifests/multi", index, INDEX)
    return "sha256:" + hashlib.sha256(index).hexdigest()


def test_a_whole_index_is_pushed_and_comes_back_by_its_digest(
    fresh_pierd: Pierd, pierd: Pierd, registry: Registry
) -> None:
    digest = publish(pierd, registry, "index/from")
    source, target = f"{registry.address}/index/from", f"{registry.address}/index/to"
    fresh_pierd.docker("pull", f"{source}:multi").ok()
    fresh_pierd.docker("tag", f"{source}:multi", f"{target}:multi").ok()
    assert f"multi: digest: {digest}" in fresh_pierd.docker("push", f"{target}:multi").ok()
    assert get(registry, "index/to/manifests/multi") == get(registry, "index/from/manifests/multi")
    fresh_pierd.docker("rmi", f"{source}:multi", f"{target}:multi").ok()
    fresh_pierd.docker("pull", f"{target}@{digest}").ok()
    assert fresh_pierd.docker("run", "--rm", f"{target}@{digest}", "echo", "whole").ok() == "whole"


def copy(source: Pierd, destination: str, bin_: Path) -> Result:
    """Run `pier image copy`, with `bin_` first in PATH."""
    surroundings = environment(source)
    surroundings["PATH"] = f"{bin_}:{surroundings['PATH']}"
    return run([*PIER, "image", "copy", "busybox", destination], environment=surroundings)


def test_an_image_is_copied_by_unix_and_by_ssh(pierd: Pierd, make_pierd: Callable[..., Pierd], tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "pier").write_text(f'#!/bin/sh\nexec {" ".join(PIER)} "$@"\n')
    for name in ("ssh", "pier"):
        (tmp_path / name).chmod(0o700)
    other = make_pierd(image=False)
    answer = copy(pierd, f"ssh://me@far.example{other.socket}", tmp_path)
    assert "1 of 1 layers sent" in answer.ok()
    assert "-l me -- far.example" in (tmp_path / "asked").read_text()
    identity = pierd.docker("inspect", "-f", "{{.Id}}", "busybox").ok()
    assert other.docker("inspect", "-f", "{{.Id}}", "busybox").ok() == identity
    assert "0 of 1 layers sent" in copy(pierd, f"unix://{other.socket}", tmp_path).ok()
    assert other.docker("run", "--rm", "busybox", "echo", "there").ok() == "there"
    nobody = copy(pierd, f"unix://{tmp_path}/nobody", tmp_path)
    assert (nobody.code, "Traceback" in nobody.stderr) == (1, False)
