"""What the API shows of a record: a row of the list, and the whole of it."""

from dataclasses import replace
from pathlib import Path

from pier.engine import endpoints
from pier.engine.inspect import Places, inspect
from pier.engine.record import Mounted, State, decode, encode
from pier.engine.status import describe
from pier.engine.summary import command, summarise
from pier.spec.containers import (
    ContainerConfig,
    EndpointIPAMConfig,
    EndpointSettings,
    HostConfig,
    MountPoint,
    NetworkingConfig,
    PortBinding,
)
from tests.engine.builders import RUNNING, SECOND, record

MINUTE = 60 * SECOND
CONNECTED = EndpointSettings(
    NetworkID="n" * 64,
    EndpointID="e" * 64,
    Gateway="172.17.0.1",
    IPAddress="172.17.0.2",
    IPPrefixLen=16,
    MacAddress="02:42",
)
WEB = record(
    7,
    name="web",
    path="sleep",
    args=("10", "a b"),
    state=RUNNING,
    config=ContainerConfig(Image="busybox", Labels={"a": "b"}, ExposedPorts={"53/udp": {}, "80/tcp": {}}),
    endpoints={"bridge": CONNECTED},
    ports={"80/tcp": [PortBinding("0.0.0.0", "8080")], "53/udp": None},
    mounts=(
        Mounted(MountPoint("volume", "data", "/v/data", "/data", "local", "z")),
        Mounted(MountPoint("bind", "", "/srv", "/host", "", "ro", False, "rprivate")),
    ),
)
PLACES = Places(Path("/d"), (Path("/l/2"), Path("/l/1")), "/d/x-json.log", "/proc/42/ns/net")


def test_a_row_of_the_list() -> None:
    row = summarise(WEB, "busybox", 10 * MINUTE + SECOND, (5, 7))
    assert row["Names"] == ["/web"]
    assert row["Command"] == "sleep 10 'a b'"
    assert row["Status"] == "Up 10 minutes"
    assert row["Ports"] == [
        {"PrivatePort": 53, "Type": "udp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    ]
    assert (row["SizeRw"], row["SizeRootFs"]) == (5, 7)
    order = "Id Names Image ImageID Command Created Ports SizeRw SizeRootFs Labels State Status HostConfig"
    assert " ".join(row) == order + " NetworkSettings Mounts"


def test_a_bind_shows_neither_name_nor_driver() -> None:
    mounts = summarise(WEB, "busybox", 0)["Mounts"]
    assert isinstance(mounts, list)
    volume, bind = mounts
    assert "Name" in volume
    assert "Driver" in volume
    assert bind == {
        "Type": "bind",
        "Source": "/srv",
        "Destination": "/host",
        "Mode": "ro",
        "RW": False,
        "Propagation": "rprivate",
    }


def test_the_whole_of_a_container() -> None:
    body = inspect(WEB, PLACES, ["x1"], (5, 7))
    assert body["Name"] == "/web"
    assert body["State"]["Running"] is True  # type: ignore[index]
    assert body["ExecIDs"] == ["x1"]
    assert body["GraphDriver"]["Data"]["LowerDir"] == "/l/2:/l/1"  # type: ignore[index]
    settings = body["NetworkSettings"]
    assert isinstance(settings, dict)
    assert settings["IPAddress"] == "172.17.0.2"
    assert settings["Ports"] == {"53/udp": None, "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert inspect(WEB, PLACES, [])["ExecIDs"] is None


def test_a_disconnected_container_keeps_its_wishes_only() -> None:
    wished = EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="172.17.0.9"), Aliases=["db"], NetworkID="n")
    after = endpoints.disconnected({"bridge": CONNECTED, "front": wished})
    assert after["bridge"] == EndpointSettings(NetworkID="n" * 64)
    assert after["front"] == wished


def test_the_main_network_comes_first_and_bears_the_clients_wishes() -> None:
    wished = EndpointSettings(Aliases=["db"])
    asked = NetworkingConfig({"other": None, "front": wished})
    assert endpoints.wishes(HostConfig(NetworkMode="front"), asked) == {"front": wished, "other": EndpointSettings()}
    assert list(endpoints.wishes(HostConfig(NetworkMode="default"), None)) == ["bridge"]
    assert list(endpoints.wishes(HostConfig(NetworkMode="default"), NetworkingConfig({"default": wished}))) == [
        "bridge"
    ]
    assert endpoints.wishes(HostConfig(NetworkMode="container:web"), asked) == {}
    assert endpoints.joined_container("container:web") == "web"


def test_states_in_words() -> None:
    now = 100 * MINUTE
    words = {
        "created": "Created",
        "running": "Up About an hour",
        "paused": "Up About an hour (Paused)",
        "exited": "Exited (3) 40 minutes ago",
        "restarting": "Restarting (3) 40 minutes ago",
        "removing": "Removal In Progress",
        "dead": "Dead",
    }
    for status, expected in words.items():
        state = State(status=status, exit_code=3, started_at=30 * MINUTE, finished_at=60 * MINUTE)  # type: ignore[arg-type]
        assert describe(state, now) == expected


def test_a_command_quotes_words_with_spaces() -> None:
    assert command("sh", ("-c", "a b")) == "sh -c 'a b'"
    assert command("sh", ()) == "sh"


def test_a_record_survives_the_store() -> None:
    assert decode(encode(WEB)) == WEB


def test_inspect_shows_the_apparmor_profile() -> None:
    assert inspect(WEB, PLACES, [])["AppArmorProfile"] == ""
    assert inspect(WEB, replace(PLACES, apparmor="docker-default"), [])["AppArmorProfile"] == "docker-default"
