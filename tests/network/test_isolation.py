"""What must not be reached: from the wire, from a container, past a binding to loopback."""

import subprocess

import pytest

from pier.kernel.nftables import Table
from pier.network.endpoints import EndpointRequest
from pier.network.networks import Networks
from pier.network.options import Options
from tests.network.hosts import greeter, host_address, host_port, neighbour, published, send_loopback_to, serving
from tests.network.rooms import PATIENCE, greet, inside
from tests.support.commands import wait_until

pytestmark = pytest.mark.root


def test_a_port_published_on_loopback_is_reached_only_there(networks: Networks) -> None:
    web = networks.connect("c1", "bridge", published("80/tcp", ("127.0.0.1", "")))
    with serving(web):
        assert greet("127.0.0.1", host_port(web))
        with pytest.raises(ConnectionRefusedError):
            greet(host_address(), host_port(web))


def test_a_neighbour_on_the_wire_reaches_published_ports_and_nothing_else(networks: Networks, lan: str) -> None:
    """CVE-2020-8558 and direct routes to containers: only what is published for everyone answers."""
    everyone = networks.connect("c1", "bridge", published("80/tcp", ("", "")))
    loopback = networks.connect("c2", "bridge", published("80/tcp", ("127.0.0.1", "")))
    secret = networks.connect("c3", "bridge", EndpointRequest(name="secret"))
    with neighbour(lan) as room, serving(everyone), serving(loopback), serving(secret):

        def reach(address: str, port: int, *, patience: float = PATIENCE) -> str:
            return inside(room, lambda: greet(address, port, patience=patience))

        assert reach(f"{lan}.1", host_port(everyone)) == f"{lan}.2"
        for address, port in (
            ("127.0.0.1", host_port(loopback)),
            (f"{lan}.1", host_port(loopback)),
            ("127.0.0.1", host_port(everyone)),
            (everyone.endpoint.address, 80),
            (loopback.endpoint.address, 80),
            (secret.endpoint.address, 80),
        ):
            with pytest.raises(OSError):
                reach(address, port, patience=0.3)


@pytest.mark.parametrize(
    "loss", ["delete table ip {}", "flush chain ip {} inward", "flush map ip {} ports_at", "flush table ip {}"]
)
def test_what_a_firewall_flushes_is_put_back(networks: Networks, options: Options, loss: str) -> None:
    """CVE-2025-54388 and 54410: a reload of somebody else's rules must not leave containers open, or shut."""
    lease = networks.connect("c1", "bridge", published("80/tcp", ("127.0.0.1", "")))
    table = Table(f"pier-{options.instance}")
    rules = table.rule_count()
    subprocess.run(["nft", *loss.format(f"pier-{options.instance}").split()], check=True)
    wait_until(
        lambda: table.exists() and table.rule_count() == rules and table.elements("ports_at"), "the rules are back"
    )
    table.close()
    with serving(lease):
        assert greet("127.0.0.1", host_port(lease))


def test_a_container_cannot_reach_the_hosts_loopback_through_its_bridge(networks: Networks) -> None:
    """route_localnet is on for the bridge; the raw chain must still keep 127/8 for the host."""
    lease = networks.connect("c1", "bridge", EndpointRequest(name="one"))

    def attack(port: int) -> str:
        send_loopback_to(lease.endpoint.gateway, lease.endpoint.address)
        return greet("127.0.0.1", port, patience=0.5)

    with greeter("127.0.0.1") as port, pytest.raises(TimeoutError):
        inside(lease.netns_fd, lambda: attack(port))
