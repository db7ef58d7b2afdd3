"""Fixtures of the runtime's suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.bundles import Runtime, make_rootfs


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busybox root file system."""
    return make_rootfs(tmp_path_factory.mktemp("rootfs"))


@pytest.fixture
def runtime(tmp_path: Path, rootfs: Path) -> Iterator[Runtime]:
    """A runtime of the test's own; whatever runs is ended with the test."""
    made = Runtime(tmp_path, rootfs)
    yield made
    made.close()
