"""The fixtures of every suite, named for pytest by `tests/conftest.py`; what they give is in the modules beside it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support import debian, host, images
from tests.support.dockerd import Dockerd
from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.registry import Registry
from tests.support.subnets import subnet

Kind = TypeVar("Kind", bound=Engine)


@pytest.fixture
def free_subnet() -> Iterator[str]:
    """A bridge address for `--bip`, such as 172.29.7.1/24, that nobody else has while the test runs."""
    with subnet() as address:
        yield address


@pytest.fixture(scope="session")
def busybox_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busybox root file system (about 2 MB)."""
    return images.make_busybox(tmp_path_factory.mktemp("busybox") / "busybox.tar")


@pytest.fixture(scope="session")
def bash_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Debian with bash, made of this host's own files (about 10 MB)."""
    return images.make_bash(tmp_path_factory.mktemp("bash") / "bash.tar")


@pytest.fixture(scope="session")
def debian_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian root file system (about 55 MB) of this host's own packages."""
    return debian.make_debian(tmp_path_factory.mktemp("debian") / "debian.tar")


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """Debian's docker-registry on loopback."""
    running = Registry()
    yield running
    running.close()


@pytest.fixture(scope="module")
def pierd(busybox_tar: Path) -> Iterator[Pierd]:
    """A pierd for the module, with the image busybox:latest."""
    yield from _running(Pierd(), busybox_tar)


@pytest.fixture
def fresh_pierd() -> Iterator[Pierd]:
    """A pierd for one test, with an empty store."""
    yield from _running(Pierd(), None)


@pytest.fixture
def make_pierd(busybox_tar: Path) -> Iterator[Callable[..., Pierd]]:
    """Make pierds with flags of the test's own; `image=False` leaves the store empty, `start=False` leaves it down."""
    made: list[Pierd] = []

    def make(*flags: str, image: bool = True, start: bool = True) -> Pierd:
        daemon = Pierd(*flags)
        made.append(daemon)
        if start:
            daemon.start()
        if start and image:
            daemon.load(busybox_tar, "busybox:latest")
        return daemon

    yield make
    failures = []
    for daemon in made:
        try:
            daemon.close()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture(scope="session")
def dockerd(busybox_tar: Path) -> Iterator[Dockerd]:
    """Debian's dockerd, with the image busybox:latest."""
    if missing := Dockerd.missing():
        pytest.skip(missing)
    yield from _running(Dockerd(), busybox_tar)


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Pier, and for tests marked `peer` dockerd too: the same assertions hold on both. What a module leaves goes."""
    chosen = request.getfixturevalue(request.param)
    assert isinstance(chosen, Engine)
    yield chosen
    chosen.remove_containers()


@pytest.fixture(scope="module", autouse=True)
def leaks() -> Iterator[None]:
    """Where PIER_ALONE=1 says that nobody else is at work: a module leaves the host's kernel as it found it.

    Every Pierd proves the same of its own objects when it is closed, alone or not.
    """
    if os.environ.get("PIER_ALONE") != "1":
        yield
        return
    before = host.everything()
    yield
    left = host.everything().since(before)
    assert not left, "left behind by this module:\n" + "\n".join(left)


def _running(daemon: Kind, image: Path | None) -> Iterator[Kind]:
    try:
        daemon.start()
        if image:
            daemon.load(image, "busybox:latest")
    except BaseException:
        daemon.close()
        raise
    yield daemon
    daemon.close()
