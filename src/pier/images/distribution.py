"""What a registry has under a name, without pulling it (`GET /distribution/{name}/json`); and the registries' settings
for those who pull, so that the floors above need not know the client below.
"""

from pier.registry.client import Document, Repository
from pier.registry.registries import Registries
from pier.spec import image_config, manifests, references
from pier.spec.credentials import Credentials
from pier.spec.errors import PierError, Unavailable
from pier.spec.manifests import Index, PlatformField
from pier.spec.references import Reference

__all__ = ["Registries", "describe"]

Json = dict[str, object]


async def describe(name: str, registries: Registries, credentials: Credentials | None) -> Json:
    """The descriptor of a name and the platforms that it serves, in Docker's JSON."""
    reference = references.parse(name).with_default_tag()
    failure: PierError | None = None
    for endpoint in await registries.endpoints(reference.domain):
        try:
            async with Repository(endpoint, reference, registries, credentials) as repository:
                document = await repository.manifest(reference.digest or reference.tag or "")
                return _view(document, await _platforms(document, repository))
        except PierError as error:
            if not (endpoint.mirror or isinstance(error, Unavailable)):
                raise
            failure = failure or error
    raise failure or _nowhere(reference)


async def _platforms(document: Document, repository: Repository) -> list[PlatformField]:
    parsed = manifests.parse(document.raw, document.media_type)
    if isinstance(parsed, Index):
        return [entry.platform for entry in parsed.manifests if entry.platform is not None]
    raw = await repository.document(parsed.config.digest, parsed.config.size, image_config.MAX_BYTES)
    config = image_config.parse(raw)
    return [PlatformField(config.architecture, config.os, config.variant)]


def _view(document: Document, platforms: list[PlatformField]) -> Json:
    return {
        "Descriptor": {"mediaType": document.media_type, "digest": document.digest, "size": len(document.raw)},
        "Platforms": platforms,
    }


def _nowhere(reference: Reference) -> Unavailable:
    return Unavailable(f"no address to ask for {reference.familiar}")
