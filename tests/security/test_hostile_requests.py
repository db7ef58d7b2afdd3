"""Creates, starts, updates and execs whose every field holds hostile values: no 500, no traceback, nothing half-made.

The fields are those of the wire types themselves, so that a new field is tried without a word here.
"""

import json
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from pier.spec.containers import ContainerConfig, ExecConfig, HostConfig
from pier.spec.endpoints import EndpointSettings
from pier.spec.host_config import UpdateConfig
from tests.support.api import Answer
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root

# What a client may have done wrong in Docker's eyes; 500 is none of them.
FINE = frozenset({200, 201, 204, 304, 400, 403, 404, 409, 501})
TEXTS = ("\0", "a\nb", "../../etc", "é" * 300, "x" * 5000, "\ud800", ":", "/a:/b:c:d=%s")
NUMBERS = (-1, -(1 << 63), (1 << 63) - 1, 2**31, 65536)
# Sent by no client that knows the API: the decoder's business, tried with each field once.
WRONG_TYPES = ("x", 1 << 70, 1.5, [[]], {"a": {"b": 1}})
# Chosen where the value above would only be refused early: these go far.
NESTED = {
    "Mounts": [
        {"Type": "bind", "Source": "/\n", "Target": "/x"},
        {"Type": "volume", "Source": "../x", "Target": "/x"},
        {"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": -1, "Mode": 1 << 31}},
        {"Type": "tmpfs", "Target": "/proc/self"},
        {"Type": "bind", "Source": "/proc/1/root", "Target": "/../../x"},
        {"Type": "npipe", "Source": "a", "Target": "b"},
        {"Type": "volume", "Target": "/x", "VolumeOptions": {"Subpath": "../../x"}},
        {"Type": "volume", "Target": "/v", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"o": "x"}}}},
    ],
    "Ulimits": [{"Name": "nofile", "Soft": 9, "Hard": 1}, {"Name": "x", "Hard": 1}, {"Name": "core", "Hard": -9}],
    "Devices": [
        {"PathOnHost": "/dev/../etc", "PathInContainer": "/x"},
        {"PathOnHost": "/dev/null", "PathInContainer": ""},
    ],
    "PortBindings": [{"80/tcp": [{"HostIp": "x", "HostPort": "y"}]}, {"0/x": None}, {"1-9999999/tcp": [{}]}],
    "Tmpfs": [{"/x": "size=99999999999999g"}, {"/x": "mode=\n"}, {"/../y": ""}, {"/": ""}],
    "Sysctls": [{"net.ipv4.ip_forward": "x" * 5000}, {"net.nosuch": "1"}, {"": ""}, {"kernel.msgmax": "a"}],
    "Healthcheck": [{"Test": ["CMD", "\0"], "Interval": -1}, {"Test": ["X"]}, {"Test": ["CMD"], "Retries": -1}],
    "LogConfig": [{"Type": "json-file", "Config": {"max-size": "-1"}}, {"Type": "none", "Config": {"a": "b"}}],
    "RestartPolicy": [{"Name": "on-failure", "MaximumRetryCount": -1}, {"Name": "x"}],
    "Cmd": [[""], ["\0"], ["a" * 200_000], ["x"] * 3000, ["/"], ["sh", "\ud800"]],
    "Env": [["=x"], ["A\0=1"], ["A=" + "x" * 200_000], ["PATH=\n"], [""]],
    "User": ["\n", ":", "0:", ":0", "a:b:c", "9" * 400],
    "Dns": [["1.1.1"], ["::g"], [""]],
    "ExposedPorts": [{"x": {}}, {"70000/tcp": {}}, {"": None}],
    "MacAddress": ["x", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"],
}


def shapes(hint: Any) -> set[Any]:
    """The plain types that a field takes, through optionals and annotations."""
    if hasattr(hint, "__metadata__"):
        return shapes(hint.__origin__)
    if get_origin(hint) is Union or type(hint).__name__ == "UnionType":
        return {shape for option in get_args(hint) for shape in shapes(option)}
    return {get_origin(hint) or hint}


def values(name: str, hint: Any) -> Iterator[object]:
    """Hostile values for a field: of its own type, then of every other."""
    kinds = shapes(hint)
    yield from ([value] if list in kinds and not isinstance(value, list) else value for value in NESTED.get(name, ()))
    if int in kinds and bool not in kinds:
        yield from NUMBERS
    if str in kinds:
        yield from TEXTS
    if list in kinds or tuple in kinds:
        yield from ([text] for text in TEXTS)
    if dict in kinds:
        yield from ({text: text} for text in TEXTS)
        yield from ({text: {}} for text in TEXTS[:3])
    yield from WRONG_TYPES


def fields(struct: type[msgspec.Struct]) -> dict[str, list[object]]:
    """Every field with what is tried."""
    hints = get_type_hints(struct, include_extras=True)
    return {name: list(values(name, hints[name])) for name in struct.__struct_fields__}


def judged(answer: Answer, what: str) -> list[str]:
    """What is wrong with an answer."""
    if answer.status not in FINE or b"Traceback" in answer.body:
        return [f"{what[:300]}: {answer.status} {answer.body[:300]!r}"]
    if answer.status >= 400 and set(json.loads(answer.body)) != {"message"}:
        return [f"{what[:300]}: {answer.body[:300]!r} is no message"]
    return []


def _begin(pierd: Pierd, container: str, what: str) -> list[str]:
    """Start what could be created, and remove it."""
    wrong = judged(pierd.api("POST", f"/containers/{container}/start"), f"start {what}")
    wrong += judged(pierd.api("GET", f"/containers/{container}/json"), f"inspect {what}")
    return wrong + judged(pierd.api("DELETE", f"/containers/{container}?force=1&v=1"), f"remove {what}")


def _create(pierd: Pierd, body: dict[str, object], *, start: bool) -> list[str]:
    answer = pierd.api("POST", "/containers/create", body)
    what = repr(body)
    wrong = judged(answer, f"create {what}")
    if answer.status == 201 and start:
        return wrong + _begin(pierd, answer.json()["Id"], what)
    if answer.status == 201:
        wrong += judged(pierd.api("DELETE", f"/containers/{answer.json()['Id']}?force=1&v=1"), f"remove {what}")
    return wrong


@pytest.fixture(autouse=True)
def clean(pierd: Pierd) -> Iterator[None]:
    """Afterwards the daemon is the same, has said nothing bad, and nothing half-made is there."""
    pid = pierd.pid
    yield
    assert pierd.process
    assert pierd.process.poll() is None
    assert pierd.pid == pid
    assert "Traceback" not in pierd.log(), pierd.log()[-4000:]


BASE: dict[str, object] = {"Image": "busybox", "Cmd": ["true"], "NetworkDisabled": False}
NO_NETWORK = {"NetworkMode": "none"}


@pytest.mark.parametrize("name", fields(ContainerConfig))
def test_row_44_cve_2021_21285_no_configuration_breaks_the_daemon(pierd: Pierd, name: str) -> None:
    wrong = []
    for value in fields(ContainerConfig)[name]:
        body = {**BASE, "HostConfig": NO_NETWORK, name: value}
        wrong += _create(pierd, body, start=name not in ("Image", "Labels"))
    assert not wrong, "\n".join(wrong)
    assert pierd.api("GET", "/containers/json?all=1").ok() == []


@pytest.mark.parametrize("name", fields(HostConfig))
def test_row_44_cve_2024_36620_no_host_configuration_breaks_the_daemon(pierd: Pierd, name: str) -> None:
    wrong = []
    for value in fields(HostConfig)[name]:
        wrong += _create(pierd, {**BASE, "HostConfig": {**NO_NETWORK, name: value}}, start=name != "Annotations")
    assert not wrong, "\n".join(wrong)
    assert pierd.api("GET", "/containers/json?all=1").ok() == []


def test_no_endpoint_configuration_breaks_the_daemon(pierd: Pierd) -> None:
    wrong = []
    for name, tried in fields(EndpointSettings).items():
        for value in tried:
            networks = {"EndpointsConfig": {"bridge": {name: value}}}
            wrong += _create(pierd, {**BASE, "NetworkingConfig": networks}, start=False)
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def running(pierd: Pierd) -> Iterator[str]:
    body = {"Image": "busybox", "Cmd": ["sleep", "9999"], "HostConfig": NO_NETWORK}
    container = pierd.api("POST", "/containers/create", body).ok()["Id"]
    pierd.api("POST", f"/containers/{container}/start").ok()
    yield container
    pierd.api("DELETE", f"/containers/{container}?force=1").ok()


def test_no_exec_breaks_the_daemon_or_its_container(pierd: Pierd, running: str) -> None:
    wrong = []
    for name, tried in fields(ExecConfig).items():
        for value in tried:
            body = {"Cmd": ["true"], "AttachStdout": True, name: value}
            answer = pierd.api("POST", f"/containers/{running}/exec", body)
            wrong += judged(answer, f"exec {body!r}")
            if answer.status == 201:
                target = f"/exec/{answer.json()['Id']}"
                started = pierd.api("POST", f"{target}/start", {"Detach": name == "Tty"})
                if started.status != 200:
                    wrong += judged(started, f"start of exec {body!r}")
                wrong += judged(pierd.api("GET", f"{target}/json"), f"inspect of exec {body!r}")
    assert not wrong, "\n".join(wrong)
    assert pierd.api("GET", f"/containers/{running}/json").ok()["State"]["Running"]


def test_no_update_breaks_the_daemon_or_its_container(pierd: Pierd, running: str) -> None:
    wrong = []
    for name, tried in fields(UpdateConfig).items():
        for value in tried:
            wrong += judged(pierd.api("POST", f"/containers/{running}/update", {name: value}), f"{name}={value!r}")
    assert not wrong, "\n".join(wrong)
    assert pierd.api("GET", f"/containers/{running}/json").ok()["State"]["Running"]
