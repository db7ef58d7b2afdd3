"""All containers in memory: found by id, prefix or name, and kept equal to the store.

The projection answers reads without locks or system calls. Writes go to the store in the order in which they were made.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Iterator
from concurrent.futures import Future

from pier.engine import record as records
from pier.engine.container import Container
from pier.engine.record import Record, State
from pier.spec.errors import Conflict, InvalidParameter, NotFound
from pier.store.records import Delete, Put, Records

log = logging.getLogger("pier.engine")
KIND = "container"
_ID = re.compile("[0-9a-f]{64}")


class Projection:
    """The containers of this daemon. Belongs to the event loop's thread."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, Container] = {}
        self._unreadable: frozenset[str] = frozenset()

    def load(self) -> None:
        """Read every record of the store; once, before anything else. One that cannot be read shows as dead."""
        broken: list[Record] = []
        for id_, document in self._store.load(KIND).items():
            try:
                self._insert(Container(records.decode(document)))
            except records.UNREADABLE as error:
                log.error("the record of container %s cannot be read: %s", id_, error)
                if _ID.fullmatch(id_):
                    broken.append(records.unreadable(id_, document, str(error)))
        for record in broken:
            name = record.id if record.name in self._by_name else record.name
            self._insert(Container(records.replaced(record, name=name)))
        self._unreadable = frozenset(record.id for record in broken)

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, reference: str) -> Container:
        """By full id, then name, then unique prefix of an id; `NotFound` and `InvalidParameter` in Docker's words."""
        if not reference:
            raise InvalidParameter('invalid name or ID supplied: ""')
        found = self._by_id.get(reference) or self._by_name.get(reference.removeprefix("/"))
        if found is not None:
            return found
        matches = [container for id_, container in self._by_id.items() if id_.startswith(reference)]
        if len(matches) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {reference}")
        if not matches:
            raise NotFound(f"No such container: {reference}")
        return matches[0]

    def check(self, container: Container) -> None:
        """`NotFound` when a container was removed while somebody waited for it."""
        if self._by_id.get(container.id) is not container:
            raise NotFound(f"No such container: {container.id}")

    def get(self, container_id: str) -> Container | None:
        """The container of a full id, if there is one."""
        return self._by_id.get(container_id)

    def has_name(self, name: str) -> bool:
        """Whether the name is taken."""
        return name in self._by_name

    def add(self, record: Record) -> tuple[Container, Awaitable[None]]:
        """Take a new container in under its id and name; the second value waits until that is durable."""
        self._claim(record.name)
        container = Container(record)
        self._insert(container)
        return container, self.save(container)

    def rename(self, container: Container, name: str) -> Awaitable[None]:
        """Give a container another name; `Conflict` when it is taken."""
        self._claim(name)
        del self._by_name[container.record.name]
        container.record = records.replaced(container.record, name=name)
        self._by_name[name] = container
        return self.save(container)

    def change(self, container: Container, state: State) -> Awaitable[None]:
        """Put a container in another state. The state holds at once; awaiting waits until it is durable."""
        container.record = records.replaced(container.record, state=state)
        return self.save(container)

    def save(self, container: Container) -> Awaitable[None]:
        """Write the container's record; what is returned need not be awaited. One that was removed stays so."""
        if self._by_id.get(container.id) is not container:
            return _nothing()
        if container.id in self._unreadable:
            return _nothing()  # the stored document stays as it is: the Pier that wrote it can read it
        return _durable(self._store.write(Put(KIND, container.id, records.encode(container.record))))

    def remove(self, container: Container) -> Awaitable[None]:
        """Forget a container; awaiting waits until that is durable."""
        self._by_id.pop(container.id, None)
        if self._by_name.get(container.record.name) is container:
            del self._by_name[container.record.name]
        return _durable(self._store.write(Delete(KIND, container.id)))

    def _insert(self, container: Container) -> None:
        self._by_id[container.id] = container
        self._by_name[container.record.name] = container

    def _claim(self, name: str) -> None:
        holder = self._by_name.get(name)
        if holder is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{holder.id}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )


def _nothing() -> Awaitable[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _durable(written: Future[None]) -> Awaitable[None]:
    future = asyncio.wrap_future(written)
    future.add_done_callback(_retrieve)  # a write that nobody waits for must not warn when it fails
    return future


def _retrieve(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
