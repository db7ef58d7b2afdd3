"""Rows 89, 93, 95, 98, 99 and 102 as far as one machine reaches: what listens, what is announced, what is published."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


@pytest.fixture(scope="module")
def served(pierd: Pierd) -> Iterator[str]:
    """A container on the bridge that serves on its port 80, published on loopback alone; its address."""
    script = "mkdir /www; echo served > /www/index.html; httpd -f -p 80 -h /www"
    flags = ("--name", "served", "-p", "127.0.0.1::80", "-p", "127.0.0.1::81/udp")
    pierd.docker("run", "-d", *flags, "busybox", "sh", "-c", script).ok()
    ready = "until wget -qO- http://127.0.0.1/ 2>/dev/null; do :; done"
    assert pierd.docker("exec", "served", "sh", "-c", ready).ok() == "served"
    yield str(pierd.api("GET", "/containers/served/json").ok()["NetworkSettings"]["IPAddress"])
    pierd.docker("rm", "-f", "served").ok()


def _listening(pierd: Pierd) -> dict[str, str]:
    """Local addresses of TCP and UDP sockets that processes of the daemon hold, by the number of the socket."""
    ours = set()
    for line in pierd.holdings().processes:
        for entry in Path(f"/proc/{line.split()[0]}/fd").iterdir():
            link = os.readlink(entry)
            if link.startswith("socket:["):
                ours.add(link[8:-1])
    found = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[9] in ours:
                found[fields[9]] = fields[1]
    return found


def test_row_95_cve_2021_4024_cve_2025_6032_nothing_listens_but_what_was_published(pierd: Pierd, served: str) -> None:
    addresses = set(_listening(pierd).values())
    assert addresses
    assert {address.partition(":")[0] for address in addresses} == {"0100007F"}  # 127.0.0.1


def test_row_102_what_is_published_on_loopback_is_reached_nowhere_else(pierd: Pierd, served: str) -> None:
    """From inside another container: by its gateway, by loopback through the gateway. Neighbours: tests/network."""
    port = pierd.docker("port", "served", "80/tcp").ok().rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.")
    gateway = pierd.bip.partition("/")[0]
    ask = f"wget -T 2 -qO- http://{gateway}:{port}/ 2>/dev/null; true"
    assert pierd.docker("run", "--rm", "busybox", "sh", "-c", ask).ok() == ""
    route = f"ip route add 127.0.0.0/9 via {gateway}; wget -T 2 -qO- http://127.0.0.1:{port}/ 2>/dev/null; true"
    assert pierd.docker("run", "--rm", "--cap-add", "NET_ADMIN", "busybox", "sh", "-c", route).ok() == ""


def test_row_98_cve_2024_32473_a_network_of_ipv4_has_no_ipv6(pierd: Pierd) -> None:
    script = "cat /proc/net/if_inet6 2>/dev/null | grep -v ' lo$'; true"
    assert pierd.docker("run", "--rm", "busybox", "sh", "-c", script).ok() == ""


def test_row_99_cve_2020_13401_no_container_announces_routes_to_the_host(pierd: Pierd, served: str) -> None:
    names = [line for line in os.listdir("/sys/class/net") if pierd.instance[:6] in line]
    assert names
    for name in names:
        settings = Path("/proc/sys/net/ipv6/conf") / name
        if settings.exists() and (settings / "disable_ipv6").read_text().strip() == "0":
            assert (settings / "accept_ra").read_text().strip() == "0", name


def test_row_93_cve_2026_50195_cve_2026_53492_a_checkpoint_cannot_be_brought_in(pierd: Pierd, served: str) -> None:
    answer = pierd.api("POST", "/containers/served/checkpoints", {"CheckpointID": "x", "CheckpointDir": "/etc"})
    assert answer.status in (404, 501)
    started = pierd.api("POST", "/containers/served/start?checkpoint=x&checkpoint-dir=/etc")
    assert started.status in (304, 400, 404, 501)
    created = pierd.api("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"NetworkMode": "none"}}).ok()
    restored = pierd.api("POST", f"/containers/{created['Id']}/start?checkpoint=x&checkpoint-dir=/etc")
    pierd.api("DELETE", f"/containers/{created['Id']}?force=1").ok()
    assert restored.status in (400, 404, 501)
