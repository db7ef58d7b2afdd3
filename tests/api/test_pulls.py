"""`docker pull` through the docker command line from Debian's registry: output, names, events, failures."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


@pytest.fixture(scope="module")
def pushed(dockerd: Engine, registry: Registry) -> Iterator[str]:
    """A name in the registry, pushed by dockerd."""
    name = f"{registry.address}/base/busybox:1"
    dockerd.docker("tag", "busybox", name).ok()
    dockerd.docker("push", name).ok()
    yield name
    dockerd.docker("rmi", name).ok()


def plain(output: str) -> list[str]:
    """The output with what differs between layers and engines taken out."""
    return [re.sub(r"[0-9a-f]{64}|^[0-9a-f]{12}", "ID", line) for line in output.splitlines()]


def test_a_pull_reads_as_dockers_and_runs(dockerd: Engine, pierd: Pierd, pushed: str) -> None:
    pierd.docker("rmi", "-f", *set(pierd.docker("images", "-q").ok().split())).ok()
    dockerd.docker("rmi", pushed).ok()
    told = [engine.docker("pull", pushed).ok() for engine in (dockerd, pierd)]
    last = [plain(output)[-3:] for output in told]
    assert last[0] == last[1]
    assert pierd.docker("run", "--rm", pushed, "echo", "pulled").ok() == "pulled"
    image = json.loads(pierd.docker("inspect", pushed).ok())[0]
    assert image["RepoDigests"][0].startswith(pushed.rpartition(":")[0] + "@sha256:")
    again = pierd.docker("pull", pushed).ok()
    assert f"Status: Image is up to date for {pushed}" in again


def test_all_tags_of_a_name_are_pulled(dockerd: Engine, pierd: Pierd, pushed: str) -> None:
    name = pushed.rpartition(":")[0]
    for tag in ("2", "3"):
        dockerd.docker("tag", pushed, f"{name}:{tag}").ok()
        dockerd.docker("push", f"{name}:{tag}").ok()
        dockerd.docker("rmi", f"{name}:{tag}").ok()
    pierd.docker("pull", "-a", name).ok()
    tags = pierd.docker("images", "--format", "{{.Tag}}", name).ok().split()
    assert sorted(tags) == ["1", "2", "3"]


def test_a_missing_tag_is_said_as_docker_says_it(dockerd: Engine, pierd: Pierd, pushed: str) -> None:
    missing = pushed.rpartition(":")[0] + ":nope"
    said = [engine.docker("pull", missing) for engine in (dockerd, pierd)]
    assert [one.code for one in said] == [1, 1]
    assert said[1].stderr == said[0].stderr


def test_a_registry_that_nobody_runs_is_a_clear_error(pierd: Pierd) -> None:
    answer = pierd.docker("pull", "127.0.0.1:1/x:1")
    assert answer.code == 1
    assert "dial tcp 127.0.0.1:1: connect: connection refused" in answer.stderr


def test_what_a_registry_has_is_told_without_a_pull(pierd: Pierd, pushed: str) -> None:
    found = pierd.api("GET", f"/distribution/{pushed}/json").ok()
    assert found["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    assert found["Descriptor"]["digest"].startswith("sha256:")
    assert pierd.api("GET", f"/distribution/{pushed}x/json").status == 404


def test_a_login_at_an_open_registry_succeeds(pierd: Pierd, registry: Registry) -> None:
    body = {"username": "a", "password": "b", "serveraddress": registry.address}
    assert pierd.api("POST", "/auth", body).ok()["Status"] == "Login Succeeded"


def test_a_header_that_is_no_credentials_is_refused(pierd: Pierd, pushed: str) -> None:
    answer = pierd.api("POST", f"/images/create?fromImage={pushed}", headers={"X-Registry-Auth": "!"})
    assert (answer.status, answer.message) == (400, "invalid X-Registry-Auth header")
