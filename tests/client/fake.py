"""A daemon for tests of the client: answers that the test chose, on a unix socket, and a record of what was asked."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> object:
        return json.loads(self.body)


@dataclass
class Answer:
    """What is sent back; `raw` is sent as it is, head and all."""

    document: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def encode(self, method: str) -> bytes:
        if self.raw is not None:
            return self.raw
        body = self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()
        if self.document is None:
            body = b""
        lines = [f"HTTP/1.1 {self.status} Reason", f"Content-Length: {len(body)}", "Api-Version: 1.50"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "HEAD" else body)


class FakeDaemon:
    """Serves until it is closed; each connection has a thread of its own."""

    def __init__(self, path: Path, answer: Callable[[Asked], Answer] | None = None) -> None:
        self.path = path
        self.answer = answer or (lambda _: Answer({}))
        self.asked: list[Asked] = []
        self.connections: list[socket.socket] = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join(60)
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self.threads[1:]:
            thread.join(60)
        for connection in self.connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            while (asked := self._read(reader)) is not None:
                self.asked.append(asked)
                ping = asked.target == "/_ping"
                try:
                    connection.sendall((Answer() if ping else self.answer(asked)).encode(asked.method))
                except OSError:
                    return

    def _read(self, reader) -> Asked | None:  # type: ignore[no-untyped-def]
        try:
            first = reader.readline().decode().split()
        except OSError:
            return None
        if len(first) < 3:
            return None
        headers = {}
        while (line := reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(reader.readline(), 16):
                body += reader.read(size)
                reader.readline()
            reader.readline()
        else:
            body = reader.read(int(headers.get("content-length", 0)))
        return Asked(first[0], first[1], headers, body)
