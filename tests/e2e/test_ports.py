"""Published ports and the default bridge, from the host and from other containers."""

import contextlib
import re
import socket
from contextlib import closing

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]

ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
while True:
    data, peer = server.recvfrom(1000)
    server.sendto(data, peer)
"""
SERVER = "mkdir -p /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"


def get(address: str, port: int) -> str:
    with closing(socket.create_connection((address, port), 5)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.decode().rpartition("\r\n\r\n")[2].strip()


def free_block(size: int) -> int:
    """The first of `size` free ports below those that the kernel gives to clients."""
    for first in range(21000, 32000, size):
        try:
            for port in range(first, first + size):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no free block of ports")


def serves(address: str, port: int) -> bool:
    try:
        return get(address, port) == "served"
    except OSError:
        return False


@pytest.mark.peer
def test_a_random_port_on_loopback(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "sh", "-c", SERVER).ok()
    published = engine.docker("port", "web").ok()
    found = re.fullmatch(r"80/tcp -> 127\.0\.0\.1:(\d+)", published)
    assert found, published
    wait_until(lambda: serves("127.0.0.1", int(found[1])), "the published port serves")
    engine.docker("rm", "-f", "web").ok()
    with pytest.raises(OSError, match="refused"):
        get("127.0.0.1", int(found[1]))


@pytest.mark.peer
def test_a_port_in_use_is_refused_and_nothing_stays(engine: Engine) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        result = engine.docker("run", "--name", "late", "-p", f"127.0.0.1:{port}:80", "busybox", "true")
        assert result.code == 125
        assert "address already in use" in result.stderr or "port is already allocated" in result.stderr
        state = engine.api("GET", "/containers/late/json").ok()["State"]
        assert state["Status"] == "created"
    assert engine.docker("start", "-a", "late").code == 0
    engine.docker("rm", "late").ok()


@pytest.mark.peer
def test_two_containers_talk_over_the_bridge(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "server", "busybox", "sh", "-c", SERVER).ok()
    address = engine.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "server").ok()
    script = f"until wget -q -O - http://{address}/; do sleep 0.05; done"
    assert engine.docker("run", "--rm", "busybox", "sh", "-c", script).ok() == "served"
    engine.docker("rm", "-f", "server").ok()


@pytest.mark.peer
def test_the_container_knows_its_address_and_route(engine: Engine) -> None:
    script = "ip -4 -o addr show dev eth0; ip route; cat /sys/class/net/eth0/address"
    engine.docker("run", "-d", "--name", "addressed", "busybox", "sleep", "100000").ok()
    seen = engine.docker("exec", "addressed", "sh", "-c", script).ok()
    told = engine.api("GET", "/containers/addressed/json").ok()["NetworkSettings"]
    engine.docker("rm", "-f", "addressed").ok()
    assert f"inet {told['IPAddress']}/{told['IPPrefixLen']}" in seen
    assert f"default via {told['Gateway']} dev eth0" in seen
    assert told["MacAddress"] == seen.splitlines()[-1]
    assert told["Networks"]["bridge"]["IPAddress"] == told["IPAddress"]


@pytest.mark.peer
def test_network_none_has_only_loopback(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net").ok() == "lo"


@pytest.mark.peer
def test_network_host_shares_the_hosts_links_and_name(engine: Engine) -> None:
    look = ("sh", "-c", "hostname; ls /sys/class/net")
    seen = engine.docker("run", "--rm", "--network", "host", "busybox", *look).ok().splitlines()
    assert seen[0] == socket.gethostname()
    assert {name for _, name in socket.if_nameindex() if name in ("lo", "eth0")} <= set(seen[1:])


@pytest.mark.peer
def test_network_of_another_container(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "first", "busybox", "sh", "-c", SERVER).ok()
    script = "until wget -q -O - http://127.0.0.1/; do sleep 0.05; done"
    assert engine.docker("run", "--rm", "--network", "container:first", "busybox", "sh", "-c", script).ok() == "served"
    engine.docker("rm", "-f", "first").ok()


@pytest.mark.peer
def test_an_unknown_network_is_refused(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "--network", "nowhere", "busybox", "true")
    assert result.code == 125
    assert "network nowhere not found" in result.stderr
    engine.docker("rm", *(engine.docker("ps", "-aq", "--filter", "status=created").ok().split() or ["none"]))


@pytest.mark.peer
def test_a_datagram_comes_back_through_a_published_port(engine: Engine) -> None:
    # Busybox has no server for UDP: the host's Python, seen through a mount, runs in the container's network.
    flags = ("-d", "--name", "echo", "-p", "127.0.0.1::53/udp", "-v", "/:/host:ro")
    engine.docker("run", *flags, "busybox", "chroot", "/host", "/usr/bin/python3", "-c", ECHO).ok()
    published = engine.docker("port", "echo", "53/udp").ok()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", int(published.rpartition(":")[2])))

        def echoed() -> bool:
            try:
                client.send(b"ping")
                return client.recv(100) == b"ping"
            except OSError:
                return False

        wait_until(echoed, "the datagram comes back")
    engine.docker("rm", "-f", "echo").ok()


def test_a_range_of_ports_is_published_as_one(engine: Engine) -> None:
    first = free_block(10)
    flags = ("-d", "--name", "ranged", "-p", f"127.0.0.1:{first}-{first + 9}:{first}-{first + 9}")
    created = engine.docker("run", *flags, "busybox", "sh", "-c", f"echo in range | nc -l -p {first + 7}")
    assert created.code == 0, created.describe()
    assert len(engine.docker("port", "ranged").ok().splitlines()) == 10

    def answered() -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", first + 7), 5)) as connection:
                return connection.recv(100) == b"in range\n"
        except OSError:
            return False

    wait_until(answered, "a port in the middle of the range answers")
    engine.docker("rm", "-f", "ranged").ok()


def own_addresses(engine: Engine) -> list[str]:
    """The host's address on the bridge, and the one by which it goes outside where there is an outside."""
    found = [str(engine.api("GET", "/networks/bridge").ok()["IPAM"]["Config"][0]["Gateway"])]
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        found.append(probe.getsockname()[0])
    return found


def test_published_on_all_addresses_it_serves_the_hosts_own(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "public", "-p", "80", "busybox", "sh", "-c", SERVER).ok()
    published = engine.docker("port", "public", "80/tcp").ok().splitlines()[0]
    port = int(published.rpartition(":")[2])
    wait_until(lambda: serves("127.0.0.1", port), "it serves on loopback")
    for own in own_addresses(engine):
        assert serves(own, port), own
    engine.docker("rm", "-f", "public").ok()
