"""Two places joined by one cable: `home`, where an engine lives, and the world outside, where names lead.

Each is a network namespace held by a process that ends with its input; home has mounts of its own too, so that the
engine sees other files under /etc than the host. Nothing is named, so nothing can be left behind.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tests.network.rooms import inside
from tests.support.commands import Result, run

Kept = TypeVar("Kept")

# A network for documentation (RFC 5737): it is nobody's.
HOME = "198.51.100.1"
REGISTRY = "198.51.100.10"
AUTH = "198.51.100.11"
OUTSIDE = "198.51.100.80"


class Place:
    """A network namespace, and with `mounts` a mount namespace, as long as the holder lives."""

    def __init__(self, *, mounts: bool = False) -> None:
        kinds = ["--net", "--mount", "--propagation=private"] if mounts else ["--net"]
        self._joined = ["--net", "--mount"] if mounts else ["--net"]
        self._holder = subprocess.Popen(
            ["unshare", *kinds, "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._holder.stdin
        assert self._holder.stdout
        self._holder.stdin.write(b"there\n")
        assert self._holder.stdout.readline() == b"there\n", "the namespaces were not made"
        self.command("ip", "link", "set", "lo", "up").ok()

    @property
    def pid(self) -> int:
        """The holder's."""
        return self._holder.pid

    def enter(self, *command: str) -> list[str]:
        """The command line that runs a command here; nsenter becomes the command, so that its pid is the command's."""
        return ["nsenter", "--target", str(self.pid), *self._joined, "--", *command]

    def command(self, *command: str, environment: Mapping[str, str] | None = None) -> Result:
        """Run a command here to its end."""
        return run(self.enter(*command), environment=environment)

    def do(self, work: Callable[[], Kept]) -> Kept:
        """Call `work` in a thread that has joined the network here."""
        network = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return inside(network, work)
        finally:
            os.close(network)

    def close(self) -> None:
        """End the holder; the kernel takes the rest."""
        self._holder.communicate()


class World:
    """Home and the outside with a cable between them; names of the outside are in home's own /etc/hosts."""

    def __init__(self, directory: Path, names: Mapping[str, str]) -> None:
        self.home, self.outside = Place(mounts=True), Place()
        self.home.command(
            "ip", "link", "add", "cable", "type", "veth", "peer", "name", "home", "netns", str(self.outside.pid)
        ).ok()
        self._address(self.home, "cable", HOME)
        self._address(self.outside, "home", REGISTRY, AUTH, OUTSIDE)
        hosts = directory / "hosts"
        lines = [("127.0.0.1", "localhost"), *((address, name) for name, address in names.items())]
        hosts.write_text("".join(f"{address}\t{name}\n" for address, name in lines))
        self.home.command("mount", "--bind", str(hosts), "/etc/hosts").ok()

    @staticmethod
    def _address(place: Place, link: str, *addresses: str) -> None:
        for address in addresses:
            place.command("ip", "address", "add", f"{address}/24", "dev", link).ok()
        place.command("ip", "link", "set", link, "up").ok()

    def close(self) -> None:
        """End both places."""
        self.home.close()
        self.outside.close()
