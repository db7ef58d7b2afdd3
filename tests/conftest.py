"""Fixtures for every suite, the choice of engines for `peer` tests, skips that the machine makes needed, a summary."""

import os
import platform
import shutil
import tempfile
from collections import Counter

import pytest
from hypothesis import settings

from tests.support.commands import run
from tests.support.fixtures import (
    bash_tar,
    busybox_tar,
    debian_tar,
    dockerd,
    engine,
    free_subnet,
    fresh_pierd,
    leaks,
    make_pierd,
    pierd,
    registry,
)

__all__ = [
    "bash_tar",
    "busybox_tar",
    "debian_tar",
    "dockerd",
    "engine",
    "free_subnet",
    "fresh_pierd",
    "leaks",
    "make_pierd",
    "pierd",
    "registry",
]

# the same examples on every run, and no stopwatch on a busy machine
settings.register_profile("pier", deadline=None, derandomize=True, database=None)
settings.load_profile("pier")

DIRECTORY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a directory of its own.

    pytest's shared one is tidied by every session, with a recursion that trees of tests (a thousand directories deep,
    mounted over) bring down after the last test.
    """
    if config.option.basetemp is None:
        config.option.basetemp = config.stash[DIRECTORY] = tempfile.mkdtemp(prefix="pier-pytest-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it, and never what is mounted in it."""
    if directory := config.stash.get(DIRECTORY, ""):
        run(["rm", "-rf", "--one-file-system", directory])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of `engine` runs on Pier, and marked `peer` on dockerd first: what the peer does is expected."""
    if "engine" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("peer") is not None
        metafunc.parametrize("engine", ["dockerd", "pierd"] if both else ["pierd"], indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, with the reason."""
    for item in items:
        for marker, possible, reason in (
            ("root", os.geteuid() == 0, "needs root"),
            ("docker_cli", shutil.which("docker") is not None, "needs the docker command line"),
            ("vm", os.environ.get("PIER_VM") == "1", "runs inside the virtual machine of `make test-vm`"),
        ):
            if item.get_closest_marker(marker) and not possible:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say on what the tests ran, and how many per suite."""
    suites = Counter(
        report.nodeid.split("/")[1]
        for report in terminalreporter.getreports("passed")
        if report.nodeid.startswith("tests/")
    )
    cgroups = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    terminalreporter.write_sep("-", "summary")
    terminalreporter.write_line(
        f"Linux {platform.release()}, cgroup {cgroups}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"docker {shutil.which('docker') or 'not there'}"
    )
    terminalreporter.write_line("passed: " + ", ".join(f"{suite} {count}" for suite, count in sorted(suites.items())))
