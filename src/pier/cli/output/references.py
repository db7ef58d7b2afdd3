"""Names of images, split as the API takes them; checked by the grammar that the daemon has too."""

from __future__ import annotations

from pier.spec.references import Reference, parse


def split(text: str) -> tuple[str, str]:
    """Repository and tag (or digest, or nothing) of a name as a user writes it."""
    reference = parse(text)
    return reference.familiar_name, reference.tag or reference.digest or ""


def registry_of(text: str) -> str:
    """The registry that a name is pulled from, as config.json names it."""
    domain = parse(text).domain
    return "https://index.docker.io/v1/" if domain == "docker.io" else domain


__all__ = ["Reference", "parse", "registry_of", "split"]
