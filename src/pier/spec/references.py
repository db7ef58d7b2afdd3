"""Names of images (distribution/reference): the grammar, Docker's short forms and Docker's error texts.

`ubuntu` means `docker.io/library/ubuntu:latest`; a first component with a dot, a colon, an upper-case letter or named
`localhost` is a registry.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from pier.spec import digests
from pier.spec.errors import InvalidParameter

DEFAULT_DOMAIN: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_MAX_NAME = 255
_MAX_TEXT = 4096

_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"({_DOMAIN})/({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?\Z")
_TAG_ALONE = re.compile(rf"{_TAG}\Z")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")


@dataclass(frozen=True, slots=True)
class Reference:
    """A whole name: registry (`domain`), repository (`path`), and a tag or a digest or both."""

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository, as `docker.io/library/ubuntu`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The repository as a user writes it, as `ubuntu`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        short = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in short else short

    @property
    def familiar(self) -> str:
        """The whole name as a user writes it, as `ubuntu:22.04`."""
        return self.familiar_name + self._suffix()

    def with_default_tag(self) -> "Reference":
        """The same name; `:latest` when it has neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> "Reference":
        """The same repository with another tag; InvalidParameter in Docker's words when it is none."""
        if not _TAG_ALONE.match(tag):
            raise InvalidParameter("invalid tag format")
        return Reference(self.domain, self.path, tag)

    def with_digest(self, digest: str) -> "Reference":
        """The same repository with a digest in place of the tag."""
        return Reference(self.domain, self.path, None, digests.check(digest))

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix()


def parse(text: str) -> Reference:
    """Read a name as a user writes it. InvalidParameter, in Docker's words, when it is none."""
    if len(text) > _MAX_TEXT:
        raise InvalidParameter("invalid reference format")
    if _IDENTIFIER.match(text):
        raise InvalidParameter(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, remainder = _split_domain(text)
    remote = remainder.partition(":")[0]
    if remote.lower() != remote:
        raise InvalidParameter(f"invalid reference format: repository name ({remote}) must be lowercase")
    match = _REFERENCE.match(f"{domain}/{remainder}")
    if match is None:
        raise InvalidParameter("invalid reference format")
    domain, path, tag, digest = match.groups()
    if len(path) > _MAX_NAME:
        raise InvalidParameter(f"repository name must not be more than {_MAX_NAME} characters")
    if digest is not None:
        _check_digest(digest)
    return Reference(domain, path, tag, digest)


def parse_with_tag(text: str, tag: str) -> Reference:
    """A name and, beside it, a tag or a digest, as `POST /images/create` sends them. Without either it is `:latest`."""
    reference = parse(text)
    if not tag:
        return reference.with_default_tag()
    return reference.with_digest(tag) if digests.is_digest(tag) else reference.with_tag(tag)


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL + text
    if first == _LEGACY_DOMAIN:
        first = DEFAULT_DOMAIN
    is_domain = first == "localhost" or "." in first or ":" in first or first.lower() != first
    domain, remainder = (first, rest) if is_domain else (DEFAULT_DOMAIN, text)
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = _OFFICIAL + remainder
    return domain, remainder


def _check_digest(digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256":
        raise InvalidParameter("unsupported digest algorithm")
    if len(value) != 64:
        raise InvalidParameter("invalid checksum digest length")
    digests.check(digest)
