"""What the daemon tells systemd (sd_notify(3)): ready, reloading, stopping. Silent where nobody asked."""

import contextlib
import os
import socket
import time


class Notifier:
    """Holds the socket's name; it is taken out of the environment, so that no child inherits it."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """The API answers."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again (Type=notify-reload wants the time)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon is about to end."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address)
