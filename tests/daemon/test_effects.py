"""Flags of a real daemon, judged by what they change: where containers get addresses and names, and where pulls go."""

import ipaddress
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.support.commands import run
from tests.support.pierd import Pierd
from tests.support.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


@pytest.fixture
def bridge(free_subnet: str) -> Iterator[tuple[str, ipaddress.IPv4Interface]]:
    """A bridge that somebody else made, with its address."""
    name = f"br-own{os.getpid()}"[:15]
    run(["ip", "link", "add", name, "type", "bridge"]).ok()
    try:
        run(["ip", "address", "add", free_subnet, "dev", name]).ok()
        run(["ip", "link", "set", name, "up"]).ok()
        yield name, ipaddress.IPv4Interface(free_subnet)
    finally:
        run(["ip", "link", "delete", name])


def test_a_bridge_of_the_users_is_used_and_left(
    make_pierd: Callable[..., Pierd], bridge: tuple[str, ipaddress.IPv4Interface]
) -> None:
    name, interface = bridge
    daemon = make_pierd("--bridge", name)
    script = "ip -4 -o address show dev eth0; ip route"
    words = daemon.docker("run", "--rm", "busybox", "sh", "-c", script).ok().split()
    assert ipaddress.ip_interface(words[words.index("inet") + 1]).network == interface.network
    assert words[words.index("via") + 1] == str(interface.ip)
    daemon.stop()
    assert name in run(["ip", "-o", "link", "show", name]).ok()


def test_the_daemons_dns_is_the_containers_unless_it_has_its_own(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd("--dns", "192.0.2.53", "--dns-search", "corp.example", "--dns-opt", "ndots:3")
    told = daemon.docker("run", "--rm", "busybox", "cat", "/etc/resolv.conf").ok().splitlines()
    assert {"nameserver 192.0.2.53", "search corp.example", "options ndots:3"} <= set(told)
    own = daemon.docker("run", "--rm", "--dns", "192.0.2.54", "busybox", "cat", "/etc/resolv.conf").ok().splitlines()
    assert [line for line in own if line.startswith("nameserver")] == ["nameserver 192.0.2.54"]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_a_mirror_is_asked_for_the_hubs_names(make_pierd: Callable[..., Pierd], registry: Registry) -> None:
    mirror = f"http://{registry.address}"
    other = f"registry.invalid={mirror}"
    daemon = make_pierd("--registry-mirror", mirror, "--registry-mirror", other)
    told = daemon.api("GET", "/info").ok()["RegistryConfig"]
    assert told["Mirrors"] == [f"{mirror}/"]
    assert told["IndexConfigs"]["registry.invalid"]["Mirrors"] == [f"{mirror}/"]
    archive = daemon.root / "busybox.tar"
    daemon.docker("save", "-o", str(archive), "busybox").ok()
    target = f"docker://{registry.address}/library/mirrored:1"
    copy = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
    run([*copy, f"docker-archive:{archive}", target], timeout=120).ok()
    daemon.docker("pull", "-q", "mirrored:1").ok()
    assert daemon.docker("run", "--rm", "mirrored:1", "echo", "from the mirror").ok() == "from the mirror"
    daemon.docker("pull", "-q", "registry.invalid/library/mirrored:1").ok()


def test_networks_take_their_subnets_from_the_default_address_pools(
    make_pierd: Callable[..., Pierd], free_subnet: str
) -> None:
    base = ipaddress.ip_interface(free_subnet).network
    size = base.prefixlen + 2
    daemon = make_pierd("--default-address-pool", f"base={base},size={size}")
    assert daemon.api("GET", "/info").ok()["DefaultAddressPools"] == [{"Base": str(base), "Size": size}]
    expected = [str(one) for one in base.subnets(new_prefix=size)]
    for number in range(4):
        daemon.docker("network", "create", f"n{number}").ok()
    told = [
        daemon.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", f"n{n}").ok() for n in range(4)
    ]
    assert told == expected
    refused = daemon.docker("network", "create", "one-too-many")
    assert refused.code == 1
    assert "all predefined address pools have been fully subnetted" in refused.stderr
    daemon.docker("network", "rm", "n0", "n1", "n2", "n3").ok()
