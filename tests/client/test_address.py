"""Addresses of daemons, and connecting to them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.client.address import connect, parse
from pier.client.errors import ConnectionFailed
from pier.spec.errors import InvalidParameter


@pytest.mark.parametrize(
    ("text", "scheme", "where"),
    [
        ("unix:///a/b", "unix", "/a/b"),
        ("", "unix", "/run/pier/pier.sock"),
        ("unix://", "unix", "/run/pier/pier.sock"),
        ("tcp://host:2000", "tcp", "host:2000"),
        ("tcp://host", "tcp", "host:2375"),
        ("host:1", "tcp", "host:1"),
        ("tcp://[::1]:5", "tcp", "[::1]:5"),
        ("tcp://", "tcp", "localhost:2375"),
    ],
)
def test_hosts_are_parsed_as_docker_parses_them(text: str, scheme: str, where: str) -> None:
    address = parse(text)
    assert address.scheme == scheme
    assert (address.path or address.authority) == where


@pytest.mark.parametrize("text", ["foo://x", "/var/run/docker.sock", "tcp://a:b", "tcp://a:99999"])
def test_a_host_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse(text)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_invalid(text: str) -> None:
    try:
        assert parse(text).scheme in ("unix", "tcp", "ssh")
    except InvalidParameter:
        return


def test_no_daemon_is_told_in_dockers_words(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/none"
    with pytest.raises(ConnectionFailed) as failure:
        connect(parse(host))
    assert failure.value.message == f"Cannot connect to the Docker daemon at {host}. Is the docker daemon running?"


@contextmanager
def another_user() -> Iterator[None]:
    """Be nobody, where the tests are root's: root may connect to any socket."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_a_socket_without_permission_is_told_in_dockers_words(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/s")
        server.listen()
        os.chmod(f"{tmp_path}/s", 0)
        with another_user(), pytest.raises(ConnectionFailed) as failure:
            connect(parse(host))
    assert failure.value.message == (
        f"permission denied while trying to connect to the Docker daemon socket at {host}: "
        f"dial unix {tmp_path}/s: connect: permission denied"
    )
