"""The machine is what it claims to be: otherwise what passes in it proves nothing."""

import platform
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vm, pytest.mark.root]


def test_systemd_is_process_one() -> None:
    assert Path("/proc/1/comm").read_text().strip() == "systemd"


def test_cgroups_are_version_two_alone() -> None:
    assert {"cpu", "memory", "pids", "io"} <= set(Path("/sys/fs/cgroup/cgroup.controllers").read_text().split())


def test_the_kernel_is_debians() -> None:
    assert platform.release().startswith("6.1.")
    assert platform.release().endswith("-cloud-amd64")
