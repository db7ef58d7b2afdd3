"""Work inside a network namespace, and small servers there, for tests that look from inside the container."""

import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from pier.kernel import netns

Result = TypeVar("Result")
PATIENCE = 5.0


def inside(netns_fd: int, work: Callable[[], Result]) -> Result:
    """Run `work` in a thread that has joined the namespace, and return or raise what it does."""
    outcome: list[Result | BaseException] = []

    def run() -> None:
        try:
            netns.enter(netns_fd)
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class Greeter:
    """A TCP server that tells each client the address it sees it come from."""

    def __init__(self, port: int, address: str = "0.0.0.0") -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address, port))
        self._socket.listen(16)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, (address, _) = self._socket.accept()
            except OSError:
                return
            with client:
                client.sendall(address.encode())


def greet(address: str, port: int, *, patience: float = PATIENCE) -> str:
    """Connect and return what a Greeter says."""
    with socket.create_connection((address, port), timeout=patience) as client:
        return client.recv(100).decode()


def ask_udp(address: str, port: int, *, patience: float = PATIENCE) -> bytes:
    """Send one datagram and return the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        client.connect((address, port))
        client.send(b"ping")
        return client.recv(100)


class Echo:
    """A UDP server that answers with what it was sent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """To be called inside the namespace: an empty datagram ends the server."""
        self._socket.sendto(b"", ("127.0.0.1", self._socket.getsockname()[1]))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(100)
            if not data:
                return
            self._socket.sendto(data, client)
