"""Fixtures of the runtime's suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.bundles import Runtime, make_rootfs
from tests.runtime.lines import Line


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busybox root file system."""
    return make_rootfs(tmp_path_factory.mktemp("rootfs"))


@pytest.fixture(scope="module")
def module_runtime(tmp_path_factory: pytest.TempPathFactory, rootfs: Path) -> Iterator[Runtime]:
    """The module's launcher: a spawner takes a quarter of a second to start."""
    made = Runtime(tmp_path_factory.mktemp("runtime"), rootfs)
    yield made
    made.close()


@pytest.fixture
def runtime(module_runtime: Runtime, tmp_path: Path, rootfs: Path) -> Iterator[Runtime]:
    """A runtime with directories of the test's own; whatever runs is ended with the test."""
    module_runtime.directory, module_runtime.rootfs = tmp_path, rootfs
    yield module_runtime
    module_runtime.end_all()


@pytest.fixture
def line(tmp_path: Path, rootfs: Path, runtime: Runtime) -> Iterator[Line]:
    """The command line; its container is removed at the end."""
    made = Line(tmp_path, rootfs, runtime)
    yield made
    made("delete", "--force", "one")
    assert not Path(f"/sys/fs/cgroup/memory{made.group}").exists()
