"""Who asks for credentials, and who may have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.registry import challenges
from pier.registry.challenges import Challenge


def test_the_hubs_challenge_is_read() -> None:
    header = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:x:pull,push"'
    assert challenges.parse([header]) == [
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:x:pull,push",
            },
        )
    ]


def test_several_challenges_in_one_header_are_told_apart() -> None:
    found = challenges.parse(['Basic realm="a, \\"b\\"", Bearer realm=c', "Negotiate"])
    assert [(one.scheme, one.parameters.get("realm")) for one in found] == [
        ("basic", 'a, "b"'),
        ("bearer", "c"),
        ("negotiate", None),
    ]


def test_a_token_is_preferred_and_needs_a_realm() -> None:
    assert challenges.choose(challenges.parse(['Basic realm="x", Bearer realm="y"'])) == Challenge(
        "bearer", {"realm": "y"}
    )
    assert challenges.choose(challenges.parse(['Bearer service="x"'])) is None


@given(st.text(max_size=200))
def test_any_header_is_read_without_an_error(header: str) -> None:
    for challenge in challenges.parse([header]):
        assert challenge.scheme


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("registry-1.docker.io", "auth.docker.io"),
        ("registry.gitlab.com", "gitlab.com"),
        ("ghcr.io", "ghcr.io"),
        ("quay.io", "sub.quay.io"),
        ("registry.example.co.uk", "auth.example.co.uk"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("Registry.Example.com", "auth.example.COM."),
    ],
)
def test_neighbours_may_have_credentials(registry: str, realm: str) -> None:
    assert challenges.may_receive_credentials(registry, realm)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("registry-1.docker.io", "evil.example"),
        ("registry-1.docker.io", "docker.io.evil.example"),
        ("registry-1.docker.io", "evildocker.io"),
        ("example.com", "evil.com"),
        ("shop.co.uk", "evil.co.uk"),
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.1", "0.0.1"),
        ("localhost", "evil.localhost"),
        ("registry", "evil"),
        ("a.b", "c.b"),
    ],
)
def test_strangers_may_not(registry: str, realm: str) -> None:
    assert not challenges.may_receive_credentials(registry, realm)
