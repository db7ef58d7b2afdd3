"""What a foreign runtime is told, and how its log is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.runtime import foreign
from pier.runtime.foreign import ForeignRuntime, Places
from tests.runtime.bundles import bind, config

PLACES = Places("/run/c1/bundle")
RUNC = ForeignRuntime("/sbin/runc", ("--systemd-cgroup",))


def test_the_configured_arguments_come_before_the_command() -> None:
    words = foreign.create("c1", PLACES, "")
    assert foreign.command(RUNC, PLACES, PLACES.state, words) == (
        *("/sbin/runc", "--systemd-cgroup", "--root", "/run/c1/bundle/state"),
        *("--log", "/run/c1/bundle/log.json", "--log-format", "json"),
        *("create", "--bundle", "/run/c1/bundle", "--pid-file", "/run/c1/bundle/pid", "c1"),
    )


def test_an_exec_is_detached_and_may_have_a_terminal() -> None:
    assert foreign.execute("c1", PLACES, "/s") == (
        *("exec", "--process", "/run/c1/bundle/config.json", "--detach", "--pid-file", "/run/c1/bundle/pid"),
        *("--console-socket", "/s", "c1"),
    )


def test_a_runtime_survives_a_message() -> None:
    assert ForeignRuntime.of(RUNC.message()) == RUNC


def _configured(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given_: dict[str, Any] = {
        "rootfs": "/r",
        "group": "/g",
        "netns": "",
        "init": "",
        "size": None,
        "sources": {},
        **changes,
    }
    return foreign.configuration(document, **given_)


def test_the_document_is_the_built_in_runtimes_but_for_its_root() -> None:
    document = config("true")
    linux = {**document["linux"], "cgroupsPath": "/g"}
    assert _configured(document) == {**document, "root": {"path": "/r"}, "linux": linux}


def test_the_network_namespace_goes_in_by_its_path() -> None:
    spaces = _configured(config("true"), netns="/proc/7/fd/8")["linux"]["namespaces"]
    assert [space for space in spaces if "path" in space] == [{"type": "network", "path": "/proc/7/fd/8"}]


def test_an_init_is_bound_in_and_put_first() -> None:
    changed = _configured(config("sleep", "1"), init="/bin/tini")
    assert changed["process"]["args"] == ["/sbin/docker-init", "--", "sleep", "1"]
    assert changed["mounts"][-1]["source"] == "/bin/tini"


def test_a_terminal_has_its_size_from_the_beginning() -> None:
    assert _configured(config("sh", tty=True), size=(30, 100))["process"]["consoleSize"] == {"height": 30, "width": 100}
    assert "consoleSize" not in _configured(config("sh"), size=(30, 100))["process"]


def test_a_mount_of_another_container_is_taken_over() -> None:
    document = config("true")
    document["mounts"] += [bind("/proc/71/root/dev/shm", "/dev/shm"), bind("/proc/self/root/x", "/x"), bind("/a", "/a")]
    number = len(document["mounts"]) - 3
    assert foreign.borrowed(document) == {number: "/proc/71/root/dev/shm"}
    assert _configured(document, sources={number: "/run/copy"})["mounts"][number]["source"] == "/run/copy"


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (b'{"level":"warning","msg":"w"}\n{"level":"error","msg":"one"}\n{"level":"error","msg":"two"}\n', "two"),
        (b'{"level":"error","msg":"one"}\n{"level":"info","msg":"bye"}\nhalf a li', "one"),
        (b"", "unable to retrieve OCI runtime error (no error in its log): exit status 1"),
        (b"\xff\x00[1]\n7\n[[[", "unable to retrieve OCI runtime error (no error in its log): exit status 1"),
        (b'{"level":"error","msg":"half \\ud800"}', "half ?"),
        (b'{"level":"error","msg":3}', "unable to retrieve OCI runtime error (no error in its log): exit status 1"),
    ],
)
def test_the_last_error_of_a_log_is_told(log: bytes, message: str) -> None:
    assert foreign.complaint(log, "exit status 1") == message


@given(st.binary())
def test_any_log_gives_a_message(log: bytes) -> None:
    assert foreign.complaint(log, "why")
