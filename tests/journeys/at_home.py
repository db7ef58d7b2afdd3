"""Engines that live at home in a World: its network, its mounts, and trust in the authority of its Hub."""

from contextlib import ExitStack

from tests.journeys.hub import Hub
from tests.support.dockerd import Dockerd
from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.subnets import subnet


class PierdAtHome(Pierd):
    """A pierd as a user starts it."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.hub = hub

    def command(self) -> list[str]:
        return self.hub.world.home.enter(*super().command())

    def environment(self) -> dict[str, str]:
        return super().environment() | {"SSL_CERT_FILE": str(self.hub.authority)}


class DockerdAtHome(Dockerd):
    """A dockerd with its own docker0 and its iptables rules: nobody else is in that network."""

    def __init__(self, hub: Hub) -> None:
        Engine.__init__(self)
        self.hub = hub
        self.owned = ExitStack()
        self.bridge = self.owned.enter_context(subnet())
        (self.root / "daemon.json").write_text("{}")

    def command(self) -> list[str]:
        mine = {"--bridge": "--bip"}
        words = [mine.get(word, word) for word in super().command() if "tables=" not in word]
        return self.hub.world.home.enter(*words)

    def environment(self) -> dict[str, str]:
        return super().environment() | {"SSL_CERT_FILE": str(self.hub.authority)}
