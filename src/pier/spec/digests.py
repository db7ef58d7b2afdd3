"""Digests of content (OCI image-spec, descriptor.md): a grammar checked in one place, so that a digest can be used as
a file's name.
"""

import re
from hashlib import sha256
from typing import Final

from pier.spec.errors import InvalidParameter

SHA256: Final = "sha256:"
_GRAMMAR = re.compile(r"sha256:[0-9a-f]{64}\Z")


def is_digest(text: str) -> bool:
    """Tell whether `text` is a whole sha256 digest."""
    return _GRAMMAR.match(text) is not None


def check(text: str) -> str:
    """Return `text` when it is a digest that Pier can verify, else raise InvalidParameter."""
    if not is_digest(text):
        raise InvalidParameter(f"invalid checksum digest format: {text[:100]!r}")
    return text


def hexadecimal(digest: str) -> str:
    """The 64 hexadecimal digits of a digest, checked: safe as a file's name."""
    return check(digest)[len(SHA256) :]


def of(content: bytes) -> str:
    """The digest of a document held in memory."""
    return SHA256 + sha256(content).hexdigest()


def chain_id(diff_ids: tuple[str, ...]) -> str:
    """The chain id of a stack of layers, lowest first (OCI image-spec, config.md «Layer ChainID»)."""
    chain = ""
    for diff_id in diff_ids:
        chain = f"{chain} {check(diff_id)}" if chain else check(diff_id)
        if " " in chain:
            chain = of(chain.encode("ascii"))
    return chain
