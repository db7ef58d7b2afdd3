"""The `-H` values: what they mean, and which are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.daemon import hosts
from pier.daemon.hosts import ActivatedHost, TcpHost, UnixHost
from pier.spec.errors import InvalidParameter, NotSupported, PierError


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("unix:///tmp/a.sock", UnixHost(Path("/tmp/a.sock"))),
        ("unix://", UnixHost(Path("/var/run/docker.sock"))),
        ("/tmp/a.sock", UnixHost(Path("/tmp/a.sock"))),
        ("tcp://127.0.0.1:2375", TcpHost("127.0.0.1", 2375)),
        ("tcp://localhost", TcpHost("127.0.0.1", 2375)),
        ("tcp://[::1]:4000", TcpHost("::1", 4000)),
        ("tcp://:4000", TcpHost("127.0.0.1", 4000)),
        ("127.0.0.1:80", TcpHost("127.0.0.1", 80)),
        ("fd://", ActivatedHost()),
        ("fd://api", ActivatedHost("api")),
    ],
)
def test_hosts_are_read(text: str, host: hosts.Host) -> None:
    assert hosts.parse(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "unix://relative",
        "npipe:////./pipe/x",
        "tcp://127.0.0.1:99999",
        "tcp://a:b:c",
        "unix:///" + "x" * 120,
        "tcp://example.org:1",
    ],
)
def test_bad_hosts_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid bind address"):
        hosts.parse(text)


def test_an_open_port_is_refused_with_the_reason() -> None:
    with pytest.raises(NotSupported, match=r"tcp://0\.0\.0\.0:2375 is not supported: .* TLS"):
        hosts.parse("tcp://0.0.0.0:2375")


@given(
    st.one_of(
        st.text(max_size=30), st.builds("{}://{}".format, st.sampled_from(["unix", "tcp", "fd"]), st.text(max_size=20))
    )
)
def test_any_text_is_a_host_or_an_error_of_ours(text: str) -> None:
    try:
        hosts.parse(text)
    except PierError:
        pass
