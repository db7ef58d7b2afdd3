"""The engine's services over the API: restart policies, waits, clients that attach early, events in Docker's order."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root]


def create(engine: Engine, name: str, *command: str, **more: object) -> str:
    host_config = {"NetworkMode": "none", **more.pop("host_config", {})}  # type: ignore[dict-item]
    body = {"Image": "busybox", "Cmd": list(command), "HostConfig": host_config, **more}
    return str(engine.api("POST", f"/containers/create?name={name}", body).ok()["Id"])


def remove(engine: Engine, *names: str) -> None:
    for name in names:
        engine.api("DELETE", f"/containers/{name}?force=1&v=1").ok()


def inspect(engine: Engine, name: str) -> Any:
    return engine.api("GET", f"/containers/{name}/json").ok()


def take_over(engine: Engine, target: str, body: bytes = b"{}") -> tuple[socket.socket, bytes]:
    """Send an upgrading POST; the socket after the head of the 101, and what came with it."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(engine.socket)
    head = f"POST {target} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(4096)
        assert piece, got
        got += piece
    top, _, rest = got.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 101"), top
    return client, rest


def read_all(client: socket.socket) -> bytes:
    got = b""
    while piece := client.recv(65536):
        got += piece
    client.close()
    return got


def test_on_failure_gives_up_after_its_count(pierd: Engine) -> None:
    create(
        pierd,
        "flaky",
        "sh",
        "-c",
        "exit 4",
        host_config={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}},
    )
    pierd.api("POST", "/containers/flaky/start").ok()
    assert pierd.api("POST", "/containers/flaky/wait").ok()["StatusCode"] == 4
    told = inspect(pierd, "flaky")
    assert (told["RestartCount"], told["State"]["Status"]) == (2, "exited")
    remove(pierd, "flaky")


def test_a_stop_between_two_restarts_ends_the_policy(pierd: Engine) -> None:
    create(pierd, "again", "false", host_config={"RestartPolicy": {"Name": "always"}})
    pierd.api("POST", "/containers/again/start").ok()
    wait_until(lambda: inspect(pierd, "again")["RestartCount"] >= 3, "it restarts")
    pierd.api("POST", "/containers/again/stop").ok()
    assert inspect(pierd, "again")["State"]["Status"] == "exited"
    assert pierd.api("POST", "/containers/again/stop").status == 304
    remove(pierd, "again")


def test_a_client_that_attached_before_the_start_gets_everything(pierd: Engine) -> None:
    create(pierd, "early", "cat", OpenStdin=True, StdinOnce=True)
    client, rest = take_over(pierd, "/containers/early/attach?stream=1&stdin=1&stdout=1&stderr=1")
    assert rest == b""
    client.sendall(b"sent before the start\n")
    pierd.api("POST", "/containers/early/start").ok()
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b"\1\0\0\0\0\0\0\x16sent before the start\n"
    assert pierd.api("POST", "/containers/early/wait").ok()["StatusCode"] == 0
    remove(pierd, "early")


def test_a_client_that_went_away_before_the_start_costs_nothing(pierd: Engine) -> None:
    create(pierd, "left", "echo", "hi")
    before = pierd.api("GET", "/info").ok()["NFd"]
    # many clients: what the daemon makes ahead beside them (namespaces, pairs) has descriptors too, but fewer
    for _ in range(120):
        client, _rest = take_over(pierd, "/containers/left/attach?stream=1&stdout=1")
        client.close()
    wait_until(lambda: pierd.api("GET", "/info").ok()["NFd"] < before + 60, "descriptors go back")
    pierd.api("POST", "/containers/left/start").ok()
    assert pierd.api("POST", "/containers/left/wait").ok()["StatusCode"] == 0
    remove(pierd, "left")


def test_the_end_of_a_start_that_failed_is_the_end_of_its_clients(pierd: Engine) -> None:
    create(pierd, "broken", "/no/such/program")
    client, _ = take_over(pierd, "/containers/broken/attach?stream=1&stdout=1")
    failed = pierd.api("POST", "/containers/broken/start")
    assert failed.status == 400
    assert "no such file or directory" in failed.message
    assert read_all(client) == b""
    told = inspect(pierd, "broken")["State"]
    assert (told["Status"], told["ExitCode"]) == ("created", 127)
    remove(pierd, "broken")


def test_attach_with_logs_gives_the_past_and_then_ends(pierd: Engine) -> None:
    create(pierd, "spoke", "sh", "-c", "echo out; echo err >&2")
    pierd.api("POST", "/containers/spoke/start").ok()
    pierd.api("POST", "/containers/spoke/wait").ok()
    client, rest = take_over(pierd, "/containers/spoke/attach?logs=1&stream=0&stdout=1&stderr=1")
    got = rest + read_all(client)
    assert sorted([got[:12], got[12:]]) == [b"\1\0\0\0\0\0\0\4out\n", b"\2\0\0\0\0\0\0\4err\n"]
    remove(pierd, "spoke")


def test_an_exec_that_cannot_start_says_so_on_its_stream(pierd: Engine) -> None:
    create(pierd, "host", "sleep", "100000")
    pierd.api("POST", "/containers/host/start").ok()
    body = {"Cmd": ["/no/such"], "AttachStdout": True, "AttachStderr": True}
    exec_id = pierd.api("POST", "/containers/host/exec", body).ok()["Id"]
    client, rest = take_over(pierd, f"/exec/{exec_id}/start")
    got = rest + read_all(client)
    assert b"no such file or directory" in got
    told = pierd.api("GET", f"/exec/{exec_id}/json").ok()
    assert told["Running"] is False
    assert told["ExitCode"] in (126, 127)
    again = pierd.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    assert again.status == 409
    remove(pierd, "host")
    assert pierd.api("GET", f"/exec/{exec_id}/json").status == 404


def test_events_come_in_dockers_order(pierd: Engine) -> None:
    since = pierd.api("GET", "/info").ok()["SystemTime"]
    create(pierd, "told", "true", host_config={"NetworkMode": "bridge", "AutoRemove": True}, Labels={"a": "b"})
    removed = "/containers/told/wait?condition=removed"
    pierd.api("POST", "/containers/told/start").ok()
    pierd.api("POST", removed)
    until = pierd.api("GET", "/info").ok()["SystemTime"]
    listed = pierd.docker("events", "--since", since, "--until", until, "--format", "{{json .}}").ok()
    events = [json.loads(line) for line in listed.splitlines()]
    mine = [event for event in events if "told" in json.dumps(event) or event["Type"] == "network"]
    assert [(event["Type"], event["Action"]) for event in mine] == [
        ("container", "create"),
        ("network", "connect"),
        ("container", "start"),
        ("container", "die"),
        ("network", "disconnect"),
        ("container", "destroy"),
    ]
    assert mine[3]["Actor"]["Attributes"] == {"a": "b", "exitCode": "0", "image": "busybox", "name": "told"}


@pytest.mark.parametrize(
    ("method", "target", "status", "message"),
    [
        ("POST", "/containers/nope/start", 404, "No such container: nope"),
        ("POST", "/containers/nope/kill", 404, "No such container: nope"),
        ("GET", "/containers/nope/json", 404, "No such container: nope"),
        ("GET", "/exec/nope/json", 404, "No such exec instance: nope"),
        ("POST", "/containers/idle/kill", 409, "Cannot kill container: idle: Container {id} is not running"),
        ("POST", "/containers/idle/kill?signal=NOPE", 400, "Invalid signal: NOPE"),
        ("POST", "/containers/idle/pause", 409, "Container {id} is not running"),
        ("POST", "/containers/idle/unpause", 409, "Container {id} is not paused"),
        ("POST", "/containers/idle/wait?condition=never", 400, 'invalid condition: "never"'),
        ("POST", "/containers/idle/rename?name=x", 400, None),
        ("POST", "/containers/idle/resize?h=a&w=1", 400, None),
        ("GET", "/containers/idle/logs", 400, "Bad parameters: you must choose at least one stream"),
        ("GET", "/containers/idle/top", 409, "Container {id} is not running"),
        ("GET", '/containers/json?filters={"bad":["x"]}', 400, "invalid filter 'bad'"),
    ],
)
def test_bad_requests_are_answered_in_dockers_words(
    pierd: Engine, method: str, target: str, status: int, message: str | None
) -> None:
    container_id = create(pierd, "idle", "true")
    try:
        answer = pierd.api(method, target)
        assert answer.status == status, answer.body
        if message is not None:
            assert answer.message == message.format(id=container_id)
    finally:
        remove(pierd, "idle")


def test_a_health_check_makes_its_container_healthy_and_then_unhealthy(pierd: Engine) -> None:
    check = {"Test": ["CMD-SHELL", "echo asked; test -e /well"], "Interval": 50_000_000, "Retries": 2}
    create(pierd, "sick", "sleep", "100000", Healthcheck=check)
    pierd.api("POST", "/containers/sick/start").ok()
    wait_until(lambda: inspect(pierd, "sick")["State"]["Health"]["Status"] == "unhealthy", "it is found unhealthy")
    pierd.docker("exec", "sick", "touch", "/well").ok()
    wait_until(lambda: inspect(pierd, "sick")["State"]["Health"]["Status"] == "healthy", "it gets well")
    told = inspect(pierd, "sick")["State"]["Health"]
    assert told["Log"][-1]["Output"] == "asked\n"
    assert told["FailingStreak"] == 0
    row = pierd.api("GET", '/containers/json?filters={"health":["healthy"]}').ok()[0]
    assert row["Status"].endswith("(healthy)")
    remove(pierd, "sick")


def test_a_health_check_that_hangs_is_killed(pierd: Engine) -> None:
    check = {"Test": ["CMD", "sleep", "100000"], "Interval": 50_000_000, "Timeout": 50_000_000, "Retries": 1}
    create(pierd, "hangs", "sleep", "100000", Healthcheck=check)
    pierd.api("POST", "/containers/hangs/start").ok()
    wait_until(lambda: inspect(pierd, "hangs")["State"]["Health"]["Status"] == "unhealthy", "it is found unhealthy")
    told = inspect(pierd, "hangs")["State"]["Health"]["Log"][0]
    assert (told["ExitCode"], told["Output"]) == (-1, "Health check exceeded timeout (50ms)")
    remove(pierd, "hangs")


def all_at_once(engine: Engine, method: str, target: str, times: int = 8) -> list[int]:
    """The statuses of several equal requests that are sent at the same time."""
    with ThreadPoolExecutor(times) as pool:
        return sorted(pool.map(lambda _: engine.api(method, target).status, range(times)))


def test_of_many_that_start_or_remove_a_container_one_succeeds(pierd: Engine) -> None:
    create(pierd, "wanted", "sleep", "100000")
    assert all_at_once(pierd, "POST", "/containers/wanted/start") == [204, *[304] * 7]
    statuses = all_at_once(pierd, "DELETE", "/containers/wanted?force=1")
    assert statuses[0] == 204
    assert set(statuses[1:]) <= {404, 409}
    assert pierd.api("GET", "/containers/wanted/json").status == 404


def test_of_many_that_want_a_name_one_gets_it(pierd: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        body = {"Image": "busybox", "Cmd": ["true"]}
        answers = list(pool.map(lambda _: pierd.api("POST", "/containers/create?name=mine", body).status, range(8)))
    assert sorted(answers) == [201, *[409] * 7]
    remove(pierd, "mine")


def test_a_wished_mac_address_survives_a_stop(pierd: Engine) -> None:
    wished = "02:42:ac:11:00:77"
    network = {"EndpointsConfig": {"bridge": {"MacAddress": wished}}}
    host_config = {"NetworkMode": "bridge"}
    create(pierd, "mac", "sleep", "1000", host_config=host_config, NetworkingConfig=network)
    for _ in range(2):
        pierd.api("POST", "/containers/mac/start").ok()
        assert inspect(pierd, "mac")["NetworkSettings"]["Networks"]["bridge"]["MacAddress"] == wished
        pierd.api("POST", "/containers/mac/kill").ok()
    remove(pierd, "mac")
