"""A host whose filter drops what no rule accepts, as dockerd leaves it: containers pass all the same."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import links, netns
from pier.kernel.chains import Accept, Present
from pier.network.definitions import NetworkRequest
from pier.network.endpoints import EndpointRequest
from pier.network.networks import Networks
from pier.network.options import Options
from pier.network.passages import passages, plan
from tests.network.hosts import host_port, neighbour, published, serving
from tests.network.rooms import greet, inside
from tests.support.commands import wait_until

DROPPING = """
add table ip filter
add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }
add chain ip filter DOCKER-USER
add rule ip filter FORWARD counter jump DOCKER-USER
"""

accepts = st.builds(Accept, st.sampled_from(["br-a", "br-b"]), st.booleans())


@given(st.sets(accepts), st.lists(st.none() | accepts))
def test_a_plan_leaves_each_wish_once_and_no_more(desired: set[Accept], there: list[Accept | None]) -> None:
    present = [Present(number, accept) for number, accept in enumerate(there)]
    add, remove = plan(desired, present)
    left = [rule.accept for rule in present if rule.handle not in remove]
    assert sorted(map(repr, [*left, *add])) == sorted(map(repr, desired))


def test_what_is_there_once_is_not_touched() -> None:
    wanted = passages(["br-a", "br-b"])
    assert len(wanted) == 4
    assert plan(wanted, [Present(number, accept) for number, accept in enumerate(wanted)]) == ((), ())


@pytest.fixture
def room() -> Iterator[int]:
    """A host of the test's own: a network namespace with its loopback up."""
    made: list[int] = []

    def make() -> None:
        made.append(netns.unshare())
        with links.open_route() as route:
            route.request(links.set_up("lo"))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    yield made[0]
    os.close(made[0])


@pytest.fixture
def host(room: int, make_networks: Callable[..., Networks]) -> Callable[[], Networks]:
    """Start a daemon's networks in the room."""

    def start() -> Networks:
        networks = make_networks()
        networks.restore(networks.stored())
        return networks

    return lambda: inside(room, start)


def nft(commands: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=commands, text=True, check=True)


def rules(room: int) -> list[str]:
    """The chain as iptables lists it, the policy first."""

    def listed() -> str:
        return subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=True).stdout

    return inside(room, listed).splitlines()


def ours(room: int, options: Options) -> list[str]:
    return [rule for rule in rules(room) if f"--comment pier-{options.instance}" in rule]


@pytest.mark.root
def test_containers_reach_out_and_are_reached_past_a_policy_of_drop(
    room: int, host: Callable[[], Networks], options: Options, lan: str
) -> None:
    inside(room, lambda: nft(DROPPING))
    networks = host()
    lease = networks.connect("c1", "bridge", published("80/tcp", ("", "")))
    secret = networks.connect("c2", "bridge", EndpointRequest(name="secret"))

    def meet() -> None:
        with neighbour(lan) as beside, serving(lease), serving(secret):
            with inside(beside, lambda: socket.create_server((f"{lan}.2", 7000))):
                inside(lease.netns_fd, lambda: socket.create_connection((f"{lan}.2", 7000), timeout=5).close())
            assert inside(beside, lambda: greet(f"{lan}.1", host_port(lease))) == f"{lan}.2"
            assert inside(secret.netns_fd, lambda: greet(f"{lan}.1", host_port(lease)))
            with pytest.raises(OSError):
                inside(beside, lambda: greet(secret.endpoint.address, 80, patience=0.3))

    inside(room, meet)


@pytest.mark.root
def test_the_rules_can_be_listed_stand_once_and_go_with_the_table(
    room: int, host: Callable[[], Networks], options: Options
) -> None:
    inside(room, lambda: nft(DROPPING))
    before = rules(room)
    first = host()
    first._packets.stop_guard()
    bridge, comment = first.find("bridge").bridge, f"-m comment --comment pier-{options.instance}"
    assert rules(room) == [
        *before,
        f"-A FORWARD -i {bridge} {comment} -j ACCEPT",
        f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT {comment} -j ACCEPT",
    ]
    second = host()
    assert len(rules(room)) == len(before) + 2
    inside(room, second.close)
    assert rules(room) == before


@pytest.mark.root
def test_a_dockerd_that_comes_later_or_flushes_finds_the_rules_back(
    room: int, host: Callable[[], Networks], options: Options
) -> None:
    host()

    def iptables(*words: str) -> None:
        inside(room, lambda: subprocess.run(["iptables", *words], check=True))

    iptables("-N", "DOCKER-USER")
    assert ours(room, options) == []
    for words in (["-P", "FORWARD", "DROP"], ["-F", "FORWARD"], ["-I", "FORWARD", "-j", "DOCKER-USER"]):
        iptables(*words)
        wait_until(lambda: len(ours(room, options)) == 2, "the rules are there")
    assert rules(room)[1] == "-A FORWARD -j DOCKER-USER"
    inside(room, lambda: nft("delete table ip filter\n" + DROPPING))
    wait_until(lambda: len(ours(room, options)) == 2, "the rules are back")
    iptables("-P", "FORWARD", "ACCEPT")
    wait_until(lambda: ours(room, options) == [], "the rules are gone")


@pytest.mark.root
def test_a_network_brings_its_own_passage_and_takes_it_along(
    room: int, host: Callable[[], Networks], options: Options, lan: str
) -> None:
    inside(room, lambda: nft(DROPPING))
    networks = host()
    inside(room, lambda: networks.create(NetworkRequest(name="mine", subnet=f"{lan}.0/24")))
    assert len(ours(room, options)) == 4
    inside(room, lambda: networks.remove("mine"))
    assert len(ours(room, options)) == 2
