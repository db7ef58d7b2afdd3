"""Networks that users make, and those that every daemon has."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pier.kernel import links
from pier.network.definitions import NetworkRequest
from pier.network.endpoints import EndpointRequest
from pier.network.networks import Networks
from pier.network.options import Options
from pier.spec.errors import Conflict, Forbidden, InvalidParameter, NotFound, PierError
from tests.network.hosts import greeter, host_address, link_names, serving
from tests.network.rooms import greet, inside

pytestmark = pytest.mark.root


def test_a_network_of_the_users_own(networks: Networks, lan: str) -> None:
    request = NetworkRequest(name="mine", subnet=f"{lan}.0/24", labels={"a": "b"})
    definition = networks.create(request)
    assert definition.gateway == f"{lan}.1"
    assert networks.find("mine") == networks.find(definition.id) == networks.find(definition.id[:7]) == definition
    with pytest.raises(Conflict, match="network with name mine already exists"):
        networks.create(request)
    lease = networks.connect("c1", "mine", EndpointRequest(name="one", address=f"{lan}.77"))
    assert lease.endpoint.address == f"{lan}.77"
    assert networks.connected(definition.id) == (lease,)
    with pytest.raises(Forbidden, match="has active endpoints"):
        networks.remove("mine")
    stranger = networks.connect("c2", "bridge", EndpointRequest(name="two"))
    host = host_address()
    with serving(lease), greeter() as port:
        assert inside(lease.netns_fd, lambda: greet(host, port)) == f"{lan}.77"
        with pytest.raises(OSError):
            inside(stranger.netns_fd, lambda: greet(lease.endpoint.address, 80, patience=0.3))
    networks.release("c1")
    networks.remove("mine")
    assert definition.bridge not in link_names()
    with pytest.raises(NotFound, match="network mine not found"):
        networks.find("mine")


def test_an_internal_network_has_no_way_out(networks: Networks, lan: str) -> None:
    networks.create(NetworkRequest(name="inner", subnet=f"{lan}.0/24", internal=True))
    one = networks.connect("c1", "inner", EndpointRequest(name="one"))
    two = networks.connect("c2", "inner", EndpointRequest(name="two"))
    assert one.endpoint.gateway == ""
    host = host_address()
    with pytest.raises(OSError, match="Network is unreachable"):
        inside(one.netns_fd, lambda: greet(host, 9, patience=0.3))
    with serving(two):
        assert inside(one.netns_fd, lambda: greet(two.endpoint.address, 80)) == one.endpoint.address


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (NetworkRequest("bridge"), Forbidden, "operation is not permitted on predefined bridge network"),
        (NetworkRequest("x", driver="nope"), NotFound, "could not find plugin nope"),
        (NetworkRequest("x", subnet="10.77.53.5/24"), InvalidParameter, "invalid subnet 10.77.53.5/24"),
        (NetworkRequest("x", subnet="127.0.0.0/8"), Forbidden, "Pool overlaps"),
        (NetworkRequest("x", subnet="10.77.53.0/24", gateway="10.0.0.1"), InvalidParameter, "no matching subnet"),
        (NetworkRequest("x", gateway="10.0.0.1"), InvalidParameter, "needs a subnet"),
        (NetworkRequest("x", options={"com.docker.network.driver.mtu": "abc"}), InvalidParameter, "driver.mtu value"),
        (NetworkRequest("x", options={"com.docker.network.nope": "1"}), PierError, "com.docker.network.nope"),
        (NetworkRequest(""), InvalidParameter, "name"),
    ],
)
def test_networks_that_cannot_be(
    networks: Networks, request_: NetworkRequest, kind: type[PierError], words: str
) -> None:
    before = networks.list()
    with pytest.raises(kind, match=words):
        networks.create(request_)
    assert networks.list() == before


def test_networks_that_every_daemon_has_stay(networks: Networks) -> None:
    assert [definition.name for definition in networks.list()] == ["host", "none", "bridge"]
    for name in ("bridge", "host", "none"):
        with pytest.raises(Forbidden, match=f"{name} is a pre-defined network and cannot be removed"):
            networks.remove(name)


def test_an_address_on_the_default_bridge_cannot_be_chosen(networks: Networks) -> None:
    with pytest.raises(InvalidParameter, match="user specified IP address is supported on user defined networks only"):
        networks.connect("c1", "bridge", EndpointRequest(address="172.29.1.77"))


def test_a_bridge_of_the_users_own_stays(make_networks: Callable[..., Networks], options: Options) -> None:
    name = f"own{options.instance}"
    with links.open_route() as route:
        route.request(links.new_bridge(name))
    try:
        networks = make_networks(replace(options, bridge=name))
        networks.restore({})
        assert networks.connect("c1", "bridge", EndpointRequest()).endpoint.address
        networks.release("c1")
        networks.close()
        assert name in link_names()
    finally:
        with links.open_route() as route:
            route.request(links.delete_link(name))


def test_a_network_that_goes_while_somebody_is_on_the_way_connects_nobody(
    networks: Networks, lan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = networks.create(NetworkRequest(name="mine", subnet=f"{lan}.0/24"))
    take_ports = networks._take_ports

    def removed_meanwhile(*words: object) -> object:
        networks.remove("mine")
        return take_ports(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(networks, "_take_ports", removed_meanwhile)
    with pytest.raises(NotFound, match=f"network {definition.id} not found"):
        networks.connect("c1", "mine", EndpointRequest(name="one"))
    assert networks.lease("c1") is None
    networks.settle()
    assert definition.bridge not in link_names()
