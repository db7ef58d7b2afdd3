"""Where a registry may lead, and what counts as its own address."""

import asyncio

import aiohttp
import pytest

from pier.registry.authorization import Authorization
from pier.registry.origin import Origin
from pier.registry.registries import Endpoint, Registries


def origin(scheme: str) -> Origin:
    """The origin of registry.example:5000."""

    async def made() -> Origin:
        endpoint, registries = Endpoint(scheme, "registry.example:5000", None), Registries()
        async with aiohttp.ClientSession() as session:
            return Origin(endpoint, registries, Authorization(endpoint, "x", registries, None, session), session)

    return asyncio.run(made())


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://registry.example:5000/v2/", True),
        ("http://registry.example:5000/v2/", False),
        ("https://registry.example/v2/", False),
        ("https://registry.example:5000.evil.example/", False),
        ("https://user@registry.example:5000/v2/", False),
    ],
)
def test_only_the_endpoint_itself_is_own(url: str, *, own: bool) -> None:
    assert origin("https").is_own(url) is own


@pytest.mark.parametrize(
    ("scheme", "url", "allowed"),
    [
        ("https", "https://storage.example/blob", True),
        ("https", "http://storage.example/blob", False),
        ("http", "http://storage.example/blob", True),
        ("http", "https://storage.example/blob", True),
        ("https", "file:///etc/shadow", False),
        ("https", "https:///nowhere", False),
    ],
)
def test_a_registry_leads_to_tls_or_to_what_it_is_itself(scheme: str, url: str, *, allowed: bool) -> None:
    assert origin(scheme).may_lead_to(url) is allowed
