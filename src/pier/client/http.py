"""HTTP/1.1 on a plain socket: one request at a time, answers read by length, in chunks or to the end.

What is left out is left out on purpose: redirects, cookies, compression, pipelining. h11 or http.client would
cost more start-up time than the whole budget of `pier ps`.
"""

from __future__ import annotations

from pier.client.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

RECEIVE = 65536
PEEK = 0x42  # MSG_PEEK | MSG_DONTWAIT
HEAD_LIMIT = 1 << 20
SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@")


def quote(text: str) -> str:
    """Percent-encode for a path or a query value."""
    data = text.encode("utf-8", "surrogateescape")
    if all(byte in SAFE for byte in data):
        return text
    return "".join(chr(byte) if byte in SAFE else f"%{byte:02X}" for byte in data)


def encode_query(query: dict[str, str | list[str]]) -> str:
    """`?a=b&c=d`, or nothing; a list repeats its key."""
    pairs = []
    for key, value in query.items():
        pairs += [f"{quote(key)}={quote(item)}" for item in ([value] if isinstance(value, str) else value)]
    return "?" + "&".join(pairs) if pairs else ""


class Response:
    """An answer's head, and its body as far as it was not read yet."""

    def __init__(self, connection: Connection, status: int, reason: str, headers: dict[str, str]) -> None:
        self.connection = connection
        self.status = status
        self.reason = reason
        self.headers = headers
        self.finished = False

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives, in pieces of whatever size."""
        if self.finished:
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self.connection.read_chunked()
        elif "content-length" in self.headers:
            yield from self.connection.read_sized(int(self.headers["content-length"]))
        else:
            yield from self.connection.read_to_end()
            self.headers["connection"] = "close"
        self.finished = True

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks())

    def lines(self) -> Iterator[bytes]:
        """The body by lines, without their ends; a last line without an end counts."""
        rest = b""
        for chunk in self.chunks():
            *complete, rest = (rest + chunk).split(b"\n")
            yield from (line for line in complete if line.strip())
        if rest.strip():
            yield rest

    @property
    def reusable(self) -> bool:
        """True when the connection can carry another request."""
        return self.finished and self.headers.get("connection", "").lower() != "close"


class Connection:
    """A socket with the bytes that were received and not used yet."""

    def __init__(self, sock: socket.socket, authority: str) -> None:
        self.socket = sock
        self.authority = authority
        self.buffer = b""

    def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None
    ) -> Response:
        """Send a request and read the answer's head. An iterable body is sent in chunks."""
        self.send(method, target, headers, body)
        return self.read_head(method)

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None) -> None:
        """Send a request whose answer is read later."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if isinstance(body, bytes):
            lines.append(f"Content-Length: {len(body)}")
        elif body is not None:
            lines.append("Transfer-Encoding: chunked")
        elif method in ("POST", "PUT"):
            lines.append("Content-Length: 0")
        head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
        self._send(head, body)

    def _send(self, head: bytes, body: bytes | Iterable[bytes] | None) -> None:
        try:
            if body is None or isinstance(body, bytes):
                self.socket.sendall(head + (body or b""))
                return
            self.socket.sendall(head)
            for piece in body:
                if piece:
                    self.socket.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
            self.socket.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the daemon may have answered before it read everything: its answer says more

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(RECEIVE)
        except ConnectionResetError:
            return b""

    def read_head(self, method: str) -> Response:
        """The head of the answer to the request that was sent last."""
        while True:
            response = self._parse_head(self._until(b"\r\n\r\n"))
            if response.status >= 200 or response.status == 101:
                break
        if method == "HEAD" or response.status in (101, 204, 304):
            response.finished = True
        return response

    def _parse_head(self, head: bytes) -> Response:
        first, *rest = head.decode("latin-1").split("\r\n")
        parts = first.split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdecimal():
            raise ProtocolError(f"malformed HTTP response {first[:80]!r}")
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Response(self, int(parts[1]), parts[2] if len(parts) > 2 else "", headers)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            data = self._receive()
            if not data:
                raise ProtocolError("the daemon closed the connection before it answered (EOF)")
            self.buffer += data
            if len(self.buffer) > HEAD_LIMIT:
                raise ProtocolError("the daemon's answer has a head without an end")
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def read_sized(self, size: int) -> Iterator[bytes]:
        """Exactly `size` bytes."""
        while size > 0:
            data = self.buffer[:size] or self._receive()
            if not data:
                raise ProtocolError("unexpected EOF")
            piece, extra = data[:size], data[size:]
            self.buffer = self.buffer[len(piece) :] if self.buffer else extra
            size -= len(piece)
            yield piece

    def read_chunked(self) -> Iterator[bytes]:
        """The pieces of a chunked body, up to and with its trailer."""
        while True:
            line = self._until(b"\r\n").partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                raise ProtocolError(f"malformed chunk size {line[:40]!r}") from None
            if size == 0:
                break
            yield from self.read_sized(size)
            self._until(b"\r\n")
        while self._until(b"\r\n"):
            pass

    def read_to_end(self) -> Iterator[bytes]:
        """Everything until the daemon closes."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            yield data
        while data := self._receive():
            yield data

    def alive(self) -> bool:
        """False when the daemon has closed a connection that waited for its next request."""
        try:
            return bool(self.socket.recv(1, PEEK))
        except (BlockingIOError, ValueError):  # ValueError: a TLS socket takes no flags
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
