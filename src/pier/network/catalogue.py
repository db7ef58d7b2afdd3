"""Which networks there are: their definitions in memory and in the records. Not thread-safe: `Networks` locks."""

from collections.abc import Callable

import msgspec

from pier.network.definitions import KIND, Definition
from pier.spec.errors import InvalidParameter, NotFound
from pier.store.records import Delete, Put, Records


class Catalogue:
    """Definitions by id. What `keep` and `forget` are told is durable when they return."""

    def __init__(self, records: Records, *, now: Callable[[], str], random_hex: Callable[[int], str]) -> None:
        self._records, self._now, self._random = records, now, random_hex
        stored = records.load(KIND)
        self._definitions = {key: msgspec.json.decode(text, type=Definition) for key, text in stored.items()}

    def list(self) -> tuple[Definition, ...]:
        """Return every network, oldest first."""
        return tuple(sorted(self._definitions.values(), key=lambda definition: definition.created))

    def find(self, name: str) -> Definition:
        """Return the network with that id, name or unambiguous short id. NotFound otherwise."""
        if exact := self._definitions.get(name):
            return exact
        found = [one for one in self._definitions.values() if one.name == name]
        found = found or [one for one in self._definitions.values() if name and one.id.startswith(name)]
        if len(found) > 1:
            raise InvalidParameter(f"network {name} is ambiguous ({len(found)} matches found on ID prefix)")
        if not found:
            raise NotFound(f"network {name} not found")
        return found[0]

    def named(self, name: str) -> Definition | None:
        """Return the network of exactly that name."""
        return next((one for one in self._definitions.values() if one.name == name), None)

    def identity(self, old: Definition | None = None) -> tuple[str, str]:
        """Return id and time of creation: those of `old`, else new ones."""
        return (old.id, old.created) if old else (self._random(64), self._now())

    def keep(self, definition: Definition) -> None:
        """Add a network, or change one of that id."""
        self._records.write(Put(KIND, definition.id, msgspec.json.encode(definition))).result()
        self._definitions[definition.id] = definition

    def forget(self, definition: Definition) -> None:
        """Drop a network."""
        self._definitions.pop(definition.id, None)
        self._records.write(Delete(KIND, definition.id)).result()

    def add_endless(self) -> None:
        """Make sure of the two networks that need no kernel: `host` and `none`."""
        for name, driver in (("host", "host"), ("none", "null")):
            if self.named(name) is None:
                identity, created = self.identity()
                self.keep(Definition(id=identity, name=name, driver=driver, created=created))
