"""Pier's JSON beside dockerd's: every key that Docker answers is there, with a value of the same kind."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.engines import Engine
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root]

# What belongs to dockerd's own parts.
PARTS = ("Runtimes.", "RegistryConfig.AllowNondistributable", "Components", "DriverStatus", "SecurityOptions")


def kind(value: object) -> str:
    """The kind of a JSON value; numbers are one kind."""
    if isinstance(value, bool):
        return "boolean"
    return {dict: "object", list: "array", str: "string", type(None): "null"}.get(type(value), "number")


def shape(value: object, path: str = "") -> dict[str, str]:
    """Dotted keys with the kinds of their values; of a list the first element counts."""
    found = {path: kind(value)} if path else {}
    if isinstance(value, dict):
        for key, item in value.items():
            found |= shape(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        found |= shape(value[0], f"{path}[]")
    return found


def differences(docker: object, pier: object) -> list[str]:
    """Keys of Docker that Pier lacks or whose value is of another kind; null may stand for an empty value."""
    ours = shape(pier)
    return [
        f"{key}: docker {wanted}, pier {ours.get(key, 'nothing')}"
        for key, wanted in shape(docker).items()
        if not key.startswith(PARTS) and ours.get(key) != wanted and "null" not in (wanted, ours.get(key))
    ]


@pytest.fixture(scope="module")
def both(dockerd: Engine, pierd: Pierd) -> Iterator[tuple[Engine, Pierd]]:
    for engine in (dockerd, pierd):
        engine.docker("volume", "create", "--label", "a=b", "shaped").ok()
        engine.docker("create", "--name", "shaped", "-v", "shaped:/v", "busybox", "true").ok()
    yield dockerd, pierd
    for engine in (dockerd, pierd):
        engine.docker("rm", "shaped")
        engine.docker("volume", "rm", "shaped")


@pytest.mark.parametrize(
    "target",
    ["/info", "/version", "/images/json", "/images/busybox/json", "/images/busybox/history", "/volumes",
     "/volumes/shaped", "/networks/bridge", "/networks", "/system/df", "/plugins", "/containers/json?all=1"],
)  # fmt: skip
def test_pier_answers_all_that_docker_answers(both: tuple[Engine, Pierd], target: str) -> None:
    docker, pier = (engine.api("GET", target, version="1.41").ok() for engine in both)
    if target == "/networks":
        docker, pier = ([min(networks, key=lambda each: str(each["Name"]))] for networks in (docker, pier))
    assert not differences(docker, pier)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/images/nope/history", None),
        ("DELETE", "/images/nope", None),
        ("POST", "/images/nope/tag?repo=x", None),
        ("GET", "/networks/nope", None),
        ("DELETE", "/networks/nope", None),
        ("DELETE", "/networks/bridge", None),
        ("GET", "/volumes/nope", None),
        ("DELETE", "/volumes/nope", None),
        ("DELETE", "/volumes/shaped", None),
        ("POST", "/volumes/create", {"Name": "a"}),
        ("POST", "/networks/create", {"Name": "bridge"}),
        ("GET", "/swarm", None),
        ("GET", "/nodes", None),
        ("GET", "/services", None),
        ("POST", "/swarm/leave", None),
        ("GET", "/plugins/nope/json", None),
        ("POST", "/session", None),
        ("GET", "/containers/nope/json", None),
        ("POST", "/containers/nope/start", None),
    ],
)
def test_errors_have_dockers_status_and_text(
    both: tuple[Engine, Pierd], method: str, target: str, body: object
) -> None:
    docker, pier = (engine.api(method, target, body, version="1.41") for engine in both)
    assert pier.status == docker.status, (pier.body, docker.body)
    said = [answer.message for answer in (docker, pier)]
    # Ids differ between the two engines.
    containers = [engine.api("GET", "/containers/shaped/json").ok()["Id"] for engine in both]
    assert said[1].replace(containers[1], "ID") == said[0].replace(containers[0], "ID")


def test_prunes_answer_alike(both: tuple[Engine, Pierd]) -> None:
    everything = quote(json.dumps({"label": {"no-such-label": True}}))
    for noun in ("containers", "images", "networks", "volumes"):
        docker, pier = (
            engine.api("POST", f"/{noun}/prune?filters={everything}", version="1.41").ok() for engine in both
        )
        assert pier == docker


def test_ping_has_dockers_headers(both: tuple[Engine, Pierd]) -> None:
    docker, pier = (engine.api("GET", "/_ping") for engine in both)
    missing = set(docker.headers) - set(pier.headers)
    assert not missing
    assert pier.headers["Content-Type"] == docker.headers["Content-Type"]
