"""The AppArmor profile is Docker's, is loaded where the host can, and confines who runs under it."""

import os
from pathlib import Path

import pytest

from pier.runtime import apparmor


def test_the_profile_denies_what_dockers_denies() -> None:
    text = apparmor.PROFILE % {"name": apparmor.DEFAULT}
    for rule in ("deny mount,", "@{PROC}/sysrq-trigger rwklx,", "/sys/firmware/** rwklx,", "peer=docker-default,"):
        assert rule in text
    assert text.count("{") == text.count("}")


def test_a_host_without_apparmor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apparmor, "_ENABLED", Path("/nowhere"))
    assert not apparmor.ensure_default_profile()
    monkeypatch.setattr(apparmor, "_SECURITY", Path("/nowhere"))
    assert apparmor.loaded() == frozenset()


@pytest.mark.root
@pytest.mark.vm
def test_the_kernel_takes_the_profile_and_enforces_it() -> None:
    assert apparmor.ensure_default_profile()
    assert apparmor.DEFAULT in apparmor.loaded()
    assert apparmor.ensure_default_profile(), "a second time it is there"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        Path("/proc/self/attr/apparmor/exec").write_text(f"exec {apparmor.DEFAULT}")
        os.dup2(writer, 1)
        script = "cat /proc/self/attr/apparmor/current; (echo 1 > /proc/sys/vm/swappiness) 2>/dev/null || echo refused"
        os.execv("/bin/sh", ["sh", "-c", script])
    os.close(writer)
    with open(reader) as answer:
        assert answer.read().split("\n")[:2] == [f"{apparmor.DEFAULT} (enforce)", "refused"]
    os.waitpid(child, 0)
