"""What a registry has under a name, without pulling it (`GET /distribution/{name}/json`), and the settings about
registries for the engine.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pier.registry import login
from pier.registry import search as index
from pier.registry.client import Repository
from pier.registry.registries import Registries
from pier.spec import image_config, manifests, references
from pier.spec.credentials import Credentials
from pier.spec.errors import PierError, Unavailable
from pier.spec.manifests import Document, Index
from pier.spec.references import Reference

__all__ = ["Registries", "check_login", "describe", "search", "tags"]

T = TypeVar("T")


async def describe(name: str, registries: Registries, credentials: Credentials | None) -> dict[str, object]:
    """Docker's `DistributionInspect`: the descriptor that the name stands for, and its platforms."""
    reference = references.parse(name).with_default_tag()

    async def ask(repository: Repository) -> dict[str, object]:
        document = await repository.manifest(reference.digest or reference.tag or "")
        return {"Descriptor": _descriptor(document), "Platforms": await _platforms(document, repository)}

    return await _first(reference, registries, credentials, ask)


async def tags(reference: Reference, registries: Registries, credentials: Credentials | None) -> list[str]:
    """All tags of a name. NotFound when the registry does not know it."""
    return await _first(reference, registries, credentials, Repository.tags)


async def _first(
    reference: Reference,
    registries: Registries,
    credentials: Credentials | None,
    ask: Callable[[Repository], Awaitable[T]],
) -> T:
    """The answer of the first address that has one."""
    failure: PierError | None = None
    for endpoint in await registries.endpoints(reference.domain):
        try:
            async with Repository(endpoint, reference, registries, credentials) as repository:
                return await ask(repository)
        except PierError as error:
            if not endpoint.mirror and not isinstance(error, Unavailable):
                raise
            failure = failure or error
    raise failure or Unavailable(f"no address to ask about {reference.familiar}")


def _descriptor(document: Document) -> dict[str, object]:
    return {"mediaType": document.media_type, "digest": document.digest, "size": len(document.raw)}


async def check_login(registries: Registries, credentials: Credentials) -> str:
    """Return when the registry that the credentials name takes them: the token that stands for them from now on, or
    nothing. Raises Unauthorized, Unavailable.
    """
    return await login.check(registries, credentials)


async def search(
    term: str, limit: int, registries: Registries, credentials: Credentials | None
) -> list[dict[str, object]]:
    """Docker's `SearchResult`s: what an index finds, in its order."""
    found = await index.search(term, limit, registries, credentials)
    return [
        {
            "star_count": one.star_count,
            "is_official": one.is_official,
            "name": one.name,
            "is_automated": False,  # Docker Hub has none any more
            "description": one.description or "",
        }
        for one in found
    ]


async def _platforms(document: Document, repository: Repository) -> list[dict[str, str]]:
    manifest = manifests.parse(document.raw, document.media_type)
    if isinstance(manifest, Index):
        found = [entry.platform for entry in manifest.manifests if entry.platform is not None]
        return [_platform(one.architecture, one.os, one.variant) for one in found]
    descriptor = manifest.config
    raw = await repository.document(descriptor.digest, descriptor.size, image_config.MAX_BYTES)
    config = image_config.parse(raw)
    return [_platform(config.architecture, config.os, config.variant)]


def _platform(architecture: str, system: str, variant: str) -> dict[str, str]:
    wire = {"architecture": architecture, "os": system, "variant": variant}
    return {key: text for key, text in wire.items() if text}
