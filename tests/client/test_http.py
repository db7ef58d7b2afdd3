"""HTTP on a plain socket: bodies of every kind, answers that break off, requests that are streamed."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.client.errors import ProtocolError
from pier.client.http import Connection, Response, encode_query, quote


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield Connection(ours, "host"), theirs
    ours.close()
    theirs.close()


def answer(pair: tuple[Connection, socket.socket], data: bytes, *, end: bool = False, method: str = "GET") -> Response:
    connection, server = pair
    server.sendall(data)
    if end:
        server.shutdown(socket.SHUT_WR)
    return connection.request(method, "/x", {"A": "b"}, None)


def test_a_request_has_a_host_and_its_headers(pair: tuple[Connection, socket.socket]) -> None:
    answer(pair, b"HTTP/1.1 204 No Content\r\n\r\n")
    assert pair[1].recv(1000) == b"GET /x HTTP/1.1\r\nHost: host\r\nA: b\r\n\r\n"


def test_a_sized_body_leaves_the_connection_usable(pair: tuple[Connection, socket.socket]) -> None:
    response = answer(pair, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    assert response.read() == b"abc"
    assert response.reusable


def test_a_chunked_body_is_put_together(pair: tuple[Connection, socket.socket]) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
    response = answer(pair, data)
    assert response.read() == b"abcde"
    assert response.reusable


def test_a_body_without_a_length_ends_with_the_connection(pair: tuple[Connection, socket.socket]) -> None:
    response = answer(pair, b"HTTP/1.1 200 OK\r\n\r\nabc", end=True)
    assert response.read() == b"abc"
    assert not response.reusable


def test_lines_do_not_depend_on_chunks(pair: tuple[Connection, socket.socket]) -> None:
    body = b'4\r\n{"a"\r\n5\r\n:1}\r\n\r\n3\r\n{}\n\r\n2\r\n[]\r\n0\r\n\r\n'
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    assert list(answer(pair, data).lines()) == [b'{"a":1}\r', b"{}", b"[]"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_an_answer_that_breaks_off_is_an_error(pair: tuple[Connection, socket.socket], data: bytes) -> None:
    with pytest.raises(ProtocolError):
        answer(pair, data, end=True).read()


def test_information_before_the_answer_is_passed_over(pair: tuple[Connection, socket.socket]) -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert answer(pair, data).status == 200


def test_an_answer_to_head_has_no_body(pair: tuple[Connection, socket.socket]) -> None:
    response = answer(pair, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method="HEAD")
    assert response.read() == b""


def test_pieces_are_sent_as_chunks(pair: tuple[Connection, socket.socket]) -> None:
    connection, server = pair
    server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    connection.request("POST", "/x", {}, iter([b"ab", b"", b"c"]))
    assert server.recv(1000).partition(b"\r\n\r\n")[2] == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"


@given(st.text(max_size=40))
def test_quoting_is_undone_by_the_standard_library(text: str) -> None:
    from urllib.parse import unquote_to_bytes

    try:
        expected = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return
    assert unquote_to_bytes(quote(text)) == expected


def test_a_list_repeats_its_key() -> None:
    assert encode_query({"a": ["1", "2"], "b": "c d"}) == "?a=1&a=2&b=c%20d"
    assert encode_query({}) == ""
