"""What the journeys need: terminals that are closed at the end."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.engines import Engine
from tests.support.terminal import Terminal


@pytest.fixture
def open_terminal() -> Iterator[Callable[[Engine], Terminal]]:
    """Open windows in which the docker command line talks to an engine."""
    opened: list[Terminal] = []

    def open_one(engine: Engine) -> Terminal:
        opened.append(Terminal(engine.client_environment()))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()
