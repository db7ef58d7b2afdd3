"""Credentials for registries."""

import base64
import json
from pathlib import Path

import pytest

from pier.client.credentials import header, lookup

AUTH = base64.b64encode(b"me:secret").decode()


def test_a_password_comes_from_the_configuration() -> None:
    configuration = {"auths": {"https://registry.example/v1/": {"auth": AUTH}}}
    assert lookup(configuration, "registry.example") == {"username": "me", "password": "secret"}
    document = json.loads(base64.urlsafe_b64decode(header(configuration, "registry.example")))
    assert document["serveraddress"] == "registry.example"


def test_nothing_is_sent_to_a_registry_that_is_not_known() -> None:
    assert header({"auths": {"a.example": {"auth": AUTH}}}, "b.example") == ""
    assert header({"auths": {"a.example": {"auth": "%"}}}, "a.example") == ""
    assert header({}, "a.example") == ""


def test_a_helper_program_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread server\necho "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$server\\"}"\n')
    helper.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert lookup({"credsStore": "test"}, "x.example") == {"identitytoken": "x.example"}
    assert lookup({"credsStore": "absent"}, "x.example") == {}
