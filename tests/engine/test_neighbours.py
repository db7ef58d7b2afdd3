"""Containers on a user-defined network know each other by name."""

import pytest

from pier.engine.neighbours import entries, is_user_defined, names_of
from pier.engine.record import Record
from pier.spec.containers import EndpointSettings, HostConfig
from tests.engine.builders import record
from tests.support.commands import wait_until
from tests.support.engines import Engine


def member(number: int, address: str, network: str = "front", aliases: list[str] | None = None) -> Record:
    settings = EndpointSettings(IPAddress=address, Aliases=aliases)
    return record(number, endpoints={network: settings}, host_config=HostConfig(NetworkMode=network))


def test_each_knows_the_names_of_the_others_that_are_connected() -> None:
    web = member(1, "10.0.0.2")
    others = [web, member(2, "10.0.0.3", aliases=["db", "c2"]), member(3, ""), member(4, "10.1.0.2", "back")]
    assert entries(others, web) == (("c2", "10.0.0.3"), ("db", "10.0.0.3"), (others[1].short_id, "10.0.0.3"))


def test_nobody_is_named_on_the_default_bridge() -> None:
    web = member(1, "10.0.0.2", "bridge")
    assert entries([web, member(2, "10.0.0.3", "bridge")], web) == ()
    assert not is_user_defined("")
    assert names_of(member(5, "10.0.0.9"), "front") == ["c5", "000000000000"]


@pytest.mark.root
def test_a_newcomer_is_known_to_those_who_run_already(pierd: Engine) -> None:
    pierd.docker("network", "create", "friends").ok()
    pierd.docker("run", "-d", "--network", "friends", "--name", "first", "busybox", "sleep", "100000").ok()
    pierd.docker(
        "run", "-d", "--network", "friends", "--name", "second", "--network-alias", "pal", "busybox", "sleep", "100000"
    ).ok()
    wait_until(lambda: "pal" in pierd.docker("exec", "first", "cat", "/etc/hosts").stdout, "the first learns of it")
    pierd.docker("exec", "first", "ping", "-c", "1", "pal").ok()
    pierd.docker("exec", "second", "ping", "-c", "1", "first").ok()
    pierd.docker("rm", "-f", "second").ok()
    wait_until(lambda: "pal" not in pierd.docker("exec", "first", "cat", "/etc/hosts").stdout, "it is forgotten")
    pierd.docker("rm", "-f", "first").ok()
    pierd.docker("network", "rm", "friends").ok()


@pytest.mark.root
def test_a_second_network_at_create_is_refused_by_name(pierd: Engine) -> None:
    body = {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"bridge": {}, "other": {}}}}
    answer = pierd.api("POST", "/containers/create", body)
    assert answer.status == 400
    assert answer.message == "Container cannot be connected to network endpoints: bridge, other"
