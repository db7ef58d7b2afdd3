"""Platforms (`linux/arm64/v8`): the grammar and the aliases of containerd's platforms package, and which image runs
where.
"""

import os
import re
from dataclasses import dataclass

from pier.spec.errors import InvalidParameter

_COMPONENT = r"^[A-Za-z0-9_-]+$"
_GRAMMAR = re.compile(r"[A-Za-z0-9_-]+\Z")
_SYSTEMS = frozenset(
    {"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "plan9", "android", "aix"}
)
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
}
_KNOWN = frozenset(
    {
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
    }
)
# What else a machine runs, in order of preference.
_ALSO_RUNS = {
    ("arm64", ""): (("arm", "v8"), ("arm", "v7"), ("arm", "v6"), ("arm", "v5")),
    ("arm", "v8"): (("arm", "v7"), ("arm", "v6"), ("arm", "v5")),
    ("arm", "v7"): (("arm", "v6"), ("arm", "v5")),
    ("arm", "v6"): (("arm", "v5"),),
    ("amd64", ""): (("386", ""),),
}


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system and an architecture, normalised: arm64 has no variant `v8`, arm has `v7` by default."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def rank(self, other: "Platform") -> int | None:
        """How well an image of platform `other` serves this one: 0 is best, None is not at all."""
        if other.os != self.os:
            return None
        choices = ((self.architecture, self.variant), *_ALSO_RUNS.get((self.architecture, self.variant), ()))
        wanted = (other.architecture, other.variant)
        return choices.index(wanted) if wanted in choices else None


def normalise(system: str, architecture: str, variant: str = "") -> Platform:
    """The platform with its aliases resolved, as `Linux`, `aarch64` → `linux/arm64`."""
    system, architecture, variant = system.lower(), architecture.lower(), variant.lower()
    if architecture in _ARCHITECTURES:
        architecture, implied = _ARCHITECTURES[architecture]
        variant = variant or implied
    if architecture == "arm64" and variant in ("8", "v8"):
        variant = ""
    if architecture == "arm":
        variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    if architecture == "amd64" and variant == "v1":
        variant = ""
    return Platform({"macos": "darwin"}.get(system, system), architecture, variant)


def host() -> Platform:
    """The platform of this machine."""
    return normalise("linux", os.uname().machine)


def parse(text: str) -> Platform:
    """Read `os`, `arch`, `os/arch` or `os/arch/variant`; what is missing is the host's.

    InvalidParameter in containerd's words.
    """
    parts = text.split("/")
    for part in parts:
        if not _GRAMMAR.match(part):
            raise InvalidParameter(
                f'"{part[:80]}" is an invalid component of "{text[:80]}": '
                f'platform specifier component must match "{_COMPONENT}": invalid argument'
            )
    if len(parts) == 1:
        return _parse_single(text)
    if len(parts) > 3:
        raise InvalidParameter(f'"{text[:80]}": cannot parse platform specifier: invalid argument')
    return normalise(*parts)


def _parse_single(text: str) -> Platform:
    here = host()
    if normalise(text, "").os in _SYSTEMS:
        return normalise(text, here.architecture, here.variant)
    there = normalise("linux", text)
    if there.architecture in _KNOWN:
        return there
    raise InvalidParameter(f'"{text[:80]}": unknown operating system or architecture: invalid argument')
