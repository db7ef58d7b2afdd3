"""Tracked flows, in a network namespace of the test's own."""

import socket

import pytest

from pier.kernel import links
from pier.kernel.conntrack import Flow, forget_udp
from pier.kernel.nftables import run_commands
from tests.kernel.test_netlink import in_new_namespace

pytestmark = pytest.mark.root


def test_flows_are_found_by_where_they_went_and_forgotten() -> None:
    def work() -> None:
        with links.open_route() as route:
            route.request(links.set_up("lo"))
        run_commands(
            "add table ip t\nadd chain ip t c { type filter hook output priority 0; }\nadd rule ip t c ct state new\n"
        )
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(type=socket.SOCK_DGRAM) as client,
        ):
            server.bind(("127.0.0.1", 5353))
            client.sendto(b"x", ("127.0.0.1", 5353))
            client.sendto(b"x", ("127.0.0.1", 5354))
        seen: list[Flow] = []

        def look(flow: Flow) -> bool:
            seen.append(flow)
            return False

        assert forget_udp(look) == 0
        assert {flow.port for flow in seen} == {5353, 5354}
        assert {flow.answering for flow in seen} == {b"\x7f\0\0\1"}
        assert forget_udp(lambda flow: flow.port == 5353) == 1
        assert forget_udp(lambda flow: True) == 1
        assert forget_udp(lambda flow: True) == 0

    in_new_namespace(work)
