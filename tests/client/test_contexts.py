"""Which daemon is meant: flags, environment, contexts of Docker's configuration."""

import json
from pathlib import Path

import pytest

from pier.client.contexts import Choice, context_name, find_context, list_contexts, read_configuration, resolve
from pier.spec.errors import InvalidParameter, NotFound


@pytest.fixture
def directory(tmp_path: Path) -> str:
    meta = tmp_path / "contexts" / "meta" / "abc"
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": "tcp://far:2376", "SkipTLSVerify": True}}
    document = {"Name": "far", "Metadata": {"Description": "Far away"}, "Endpoints": endpoints}
    (meta / "meta.json").write_text(json.dumps(document))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "far"}))
    return str(tmp_path)


def test_the_flag_wins_over_everything(directory: str) -> None:
    assert resolve(Choice(["unix:///x"]), {"DOCKER_HOST": "unix:///y"}, directory).path == "/x"


def test_the_environment_wins_over_the_configured_context(directory: str) -> None:
    assert resolve(Choice([]), {"DOCKER_HOST": "unix:///y"}, directory).path == "/y"


def test_the_configured_context_wins_over_the_default(directory: str) -> None:
    address = resolve(Choice([]), {}, directory)
    assert (address.host, address.port) == ("far", 2376)


def test_the_default_is_piers_own_socket(tmp_path: Path) -> None:
    assert resolve(Choice([]), {}, str(tmp_path)).path == "/run/pier/pier.sock"


def test_a_named_context_is_found_and_listed(directory: str) -> None:
    assert find_context(directory, "far").description == "Far away"
    assert [context.name for context in list_contexts(directory)] == ["far"]


def test_a_context_that_is_not_there_is_not_found(directory: str) -> None:
    with pytest.raises(NotFound, match='context "near": context not found'):
        resolve(Choice([], "near"), {}, directory)


def test_host_and_context_together_are_refused(directory: str) -> None:
    with pytest.raises(InvalidParameter, match="conflicting options"):
        context_name(Choice(["unix:///x"], "far"), {}, {})
    with pytest.raises(InvalidParameter, match="only one"):
        resolve(Choice(["unix:///x", "unix:///y"]), {}, directory)


def test_tls_comes_from_the_environment_and_moves_the_port(directory: str) -> None:
    environment = {"DOCKER_HOST": "tcp://host", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    address = resolve(Choice([]), environment, directory)
    assert address.port == 2376
    assert address.tls is not None
    assert address.tls.verify
    assert address.tls.authority == "/certs/ca.pem"


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidParameter, match="error loading config file"):
        read_configuration(str(tmp_path))


def test_a_configuration_that_cannot_be_read_is_told_without_pythons_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(InvalidParameter) as failure:
        read_configuration(str(tmp_path))
    assert failure.value.message == f"error loading config file: open {tmp_path}/config.json: is a directory"
