"""/etc/hosts, /etc/hostname and /etc/resolv.conf as Docker writes them."""

import pytest

from pier.engine.oci.network_files import hostname, hosts, resolv_conf
from pier.spec.errors import InvalidParameter

LOCAL = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)
HOSTS_RESOLVER = (
    "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fd00::2\n"
    "search a.test b.test\noptions edns0\n"
)


def test_hosts_ends_with_the_containers_own_name() -> None:
    text = hosts("box", "example.org", addresses=["172.17.0.2"], extra=["db:10.0.0.5", "v6:[::2]"])
    assert text == f"{LOCAL}10.0.0.5\tdb\n::2\tv6\n172.17.0.2\tbox.example.org box\n"


def test_host_gateway_is_the_bridges_address() -> None:
    assert hosts("box", extra=["h:host-gateway"], gateway="172.17.0.1").endswith("172.17.0.1\th\n")
    with pytest.raises(InvalidParameter, match="unable to derive the IP value for host-gateway"):
        hosts("box", extra=["h:host-gateway"])


def test_the_hosts_network_keeps_the_hosts_file() -> None:
    assert hosts("box", host_text="127.0.0.1 me\n", extra=["a:1.1.1.1"]) == "127.0.0.1 me\n1.1.1.1\ta\n"


def test_hostname_is_one_line() -> None:
    assert hostname("box") == "box\n"


def test_the_bridge_gets_the_hosts_servers_that_it_can_reach() -> None:
    assert resolv_conf(HOSTS_RESOLVER) == "nameserver 10.0.0.2\nsearch a.test b.test\noptions edns0\n"
    assert "nameserver fd00::2\n" in resolv_conf(HOSTS_RESOLVER, ipv6=True)


def test_without_a_reachable_server_the_bridge_gets_public_ones() -> None:
    assert resolv_conf("nameserver 127.0.0.1\n") == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    assert resolv_conf("nameserver 127.0.0.1\n", mode="none") == ""


def test_wishes_replace_the_hosts() -> None:
    text = resolv_conf(HOSTS_RESOLVER, servers=["1.1.1.1"], search=["x.test"], options=["ndots:2"])
    assert text == "nameserver 1.1.1.1\nsearch x.test\noptions ndots:2\n"
    assert "search" not in resolv_conf(HOSTS_RESOLVER, search=["."])


def test_the_hosts_network_keeps_the_hosts_resolver() -> None:
    assert resolv_conf(HOSTS_RESOLVER, mode="host") == HOSTS_RESOLVER
    assert resolv_conf(HOSTS_RESOLVER, mode="host", servers=["1.1.1.1"]).startswith("nameserver 1.1.1.1\n")


def test_a_network_of_the_users_has_the_embedded_server() -> None:
    assert resolv_conf(HOSTS_RESOLVER, mode="user") == (
        "nameserver 127.0.0.11\nsearch a.test b.test\noptions edns0 ndots:0\n"
    )
