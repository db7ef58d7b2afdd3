"""Fixtures of the command line's tests: surroundings of their own, and a daemon that says what it is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pier.cli import command
from tests.client.fake import Answer, Asked, FakeDaemon


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No daemon, no configuration, and the time zone and home of the golden files; clients are closed at the end."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "configuration"))
    monkeypatch.setenv("HOME", "/root")
    made: list[command.Cli] = []
    initialise = command.Cli.__init__

    def remember(self: command.Cli, *arguments: object, **named: object) -> None:
        initialise(self, *arguments, **named)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(command.Cli, "__init__", remember)
    yield
    for cli in made:
        if cli._client is not None:
            cli._client.close()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeDaemon]]:
    """Start a fake daemon that `pier` finds: `daemon(answer)`."""
    made: list[FakeDaemon] = []

    def start(answer: Callable[[Asked], Answer] | None = None) -> FakeDaemon:
        made.append(FakeDaemon(tmp_path / "daemon", answer))
        monkeypatch.setenv("DOCKER_HOST", made[-1].host)
        return made[-1]

    yield start
    for one in made:
        one.close()
