"""Logging in and out through docker and through pier, on one daemon and a real registry with passwords: the same words
and the same config.json.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import PIER, comparable, docker_version, environment
from tests.support.commands import Result, run
from tests.support.engines import Engine
from tests.support.registry import ACCOUNT, Registry

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    pytest.mark.docker_cli,
    pytest.mark.skipif(docker_version() != "28", reason="words are those of the docker CLI 28"),
]
PROGRAMS = {"docker": ("docker",), "pier": PIER}
USER, PASSWORD = ACCOUNT
HELPER = """#!/bin/sh
cd "$(dirname "$0")"
echo "$1 $(cat)" >> calls
case "$1" in get) echo '{"Username": "alice", "Secret": "secret"}' ;; list) echo '{}' ;; esac
"""
Both = Callable[..., tuple[Result, Result]]


@pytest.fixture(scope="module")
def protected() -> Iterator[Registry]:
    """A registry that asks for a password."""
    running = Registry(protected=True)
    yield running
    running.close()


@pytest.fixture
def both(engine: Engine, tmp_path: Path) -> Both:
    """Run the same words through docker and through pier, each with a configuration of its own."""

    def call(*arguments: str, stdin: str | None = None) -> tuple[Result, Result]:
        results = []
        for name, program in PROGRAMS.items():
            home = tmp_path / name
            home.mkdir(exist_ok=True)
            surroundings = environment(engine) | {"DOCKER_CONFIG": str(home)}
            surroundings["PATH"] = f"{home}:{surroundings['PATH']}"
            results.append(run([*program, *arguments], stdin=stdin, environment=surroundings))
        return results[0], results[1]

    return call


def same(results: tuple[Result, Result], places: Path) -> tuple[int, str, str]:
    """What both said; it must be the same."""
    told = [
        comparable(Result(one.command, one.code, one.stdout, one.stderr.replace(str(places / name), "<HOME>")))
        for one, name in zip(results, PROGRAMS, strict=True)
    ]
    assert told[1] == told[0]
    return told[0]


def kept(places: Path) -> object:
    """What both have in config.json; it must be the same."""
    files = [json.loads((places / name / "config.json").read_text()) for name in PROGRAMS]
    assert files[1] == files[0]
    return files[0]


def test_a_login_is_checked_kept_used_and_forgotten(both: Both, protected: Registry, tmp_path: Path) -> None:
    words = ("login", "-u", USER, "--password-stdin", protected.address)
    code, out, err = same(both(*words, stdin=f"{PASSWORD}\n"), tmp_path)
    assert (code, out) == (0, "Login Succeeded\n")
    assert "stored unencrypted in '<HOME>/config.json'" in err
    assert kept(tmp_path) == {"auths": {protected.address: {"auth": "YWxpY2U6c2VjcmV0"}}}
    assert same(both(*words, stdin=PASSWORD), tmp_path) == (0, "Login Succeeded\n", "")
    again = same(both("login", protected.address), tmp_path)
    assert "Authenticating with existing credentials" in again[1] + again[2]
    name = f"{protected.address}/private/box:1"
    for tag in both("tag", "busybox", name):
        tag.ok()
    assert [result.code for result in both("push", name)] == [0, 0]
    assert same(both("logout", protected.address), tmp_path)[0] == 0
    assert kept(tmp_path) == {"auths": {}}
    refused = same(both("push", name), tmp_path)
    assert (refused[0], "no basic auth credentials" in refused[2]) == (1, True)


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["-u", USER, "--password-stdin", "REGISTRY"], "wrong"),
        (["-u", "bob", "-p", "x", "REGISTRY"], None),
        (["-u", USER, "--password-stdin", "127.0.0.1:1"], "x"),
        (["-u", USER, "--password-stdin", "REGISTRY"], ""),
        (["--password-stdin", "REGISTRY"], "x"),
        (["-u", USER, "-p", "x", "--password-stdin", "REGISTRY"], "x"),
        (["REGISTRY"], ""),
        (["-u", USER, "REGISTRY"], ""),
    ],
)
def test_a_login_that_fails_says_the_same(
    both: Both, protected: Registry, tmp_path: Path, words: list[str], stdin: str | None
) -> None:
    given = [word.replace("REGISTRY", protected.address) for word in words]
    assert same(both("login", *given, stdin=stdin), tmp_path)[0] == 1
    assert not (tmp_path / "pier" / "config.json").exists()


def test_a_helper_keeps_the_password(both: Both, protected: Registry, tmp_path: Path) -> None:
    for name in PROGRAMS:
        home = tmp_path / name
        home.mkdir()
        (home / "config.json").write_text('{"credsStore": "test"}')
        (home / "docker-credential-test").write_text(HELPER)
        (home / "docker-credential-test").chmod(0o700)
    words = ("login", "-u", USER, "--password-stdin", protected.address)
    assert same(both(*words, stdin=PASSWORD), tmp_path) == (0, "Login Succeeded\n", "")
    assert kept(tmp_path) == {"auths": {protected.address: {}}, "credsStore": "test"}
    assert same(both("logout", protected.address), tmp_path)[0] == 0
    for name in PROGRAMS:
        calls = (tmp_path / name / "calls").read_text()
        verb, _, document = next(line for line in calls.splitlines() if line.startswith("store")).partition(" ")
        assert json.loads(document) == {"ServerURL": protected.address, "Username": USER, "Secret": PASSWORD}, verb
        assert f"erase {protected.address}\n" in calls


@pytest.mark.parametrize("server", ["", "docker.io", "registry.example", "https://registry.example/v2/"])
def test_a_logout_from_where_nobody_is_logged_in_says_the_same(both: Both, tmp_path: Path, server: str) -> None:
    assert same(both("logout", *([server] if server else [])), tmp_path)[0] == 0
