"""The way through a filter that is not ours: where `ip filter` FORWARD drops what no rule accepts, as dockerd and ufw
set it, our bridges need rules there too. Only rules with our tag are ever touched.

They stand at the chain's end: they decide only what would fall to the policy. What a user forbids in DOCKER-USER or
ufw, and Docker's isolation, holds before them; dockerd puts its own rules at the head and never flushes the chain.
Our own table still drops what it forbids: of two chains on one hook, the one that drops wins.
"""

import logging
from collections.abc import Iterable, Sequence

from pier.kernel.chains import Accept, ForwardChain, Present

_log = logging.getLogger(__name__)


def passages(bridges: Iterable[str]) -> tuple[Accept, ...]:
    """Return what must pass: everything from a bridge; towards it answers and what was published."""
    return tuple(Accept(bridge, towards) for bridge in bridges for towards in (False, True))


def plan(desired: Iterable[Accept], present: Iterable[Present]) -> tuple[tuple[Accept, ...], tuple[int, ...]]:
    """Return (rules to add, handles to remove): each wish stands once, and nothing else with our tag."""
    missing = dict.fromkeys(desired)
    remove = []
    for rule in present:
        if rule.accept in missing:
            del missing[rule.accept]
        else:
            remove.append(rule.handle)
    return tuple(missing), tuple(remove)


class Passages:
    """Keeps the tagged rules. Not thread-safe: its owner has the lock."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._chain = ForwardChain()
        self._bridges: tuple[str, ...] | None = None  # not known yet: what an earlier daemon left stays

    def close(self) -> None:
        """Let go; the rules stay."""
        self._chain.close()

    def settle(self, bridges: Sequence[str] | None = None) -> None:
        """Bring the rules up to date, for other bridges than before if given. A refusal is a warning: the chain is
        somebody else's, and most containers need no way out.
        """
        if bridges is not None:
            self._bridges = tuple(bridges)
        if self._bridges is None:
            return
        try:
            wanted = passages(self._bridges) if self._bridges and self._chain.drops() else ()
            add, remove = plan(wanted, self._chain.tagged(self._tag))
            self._chain.change(self._tag, add=add, remove=remove)
        except OSError as error:
            _log.warning("containers cannot be let through the chain FORWARD of ip filter: %s", error.strerror)
