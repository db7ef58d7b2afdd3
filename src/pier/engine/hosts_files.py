"""Keeps the /etc/hosts of running containers true while others come to their network and leave it."""

from collections.abc import Sequence

from pier.engine.neighbours import Entry, entries, is_user_defined, main_network_of, on_network
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import Record
from pier.engine.start_files import write_network_files


class HostsFiles:
    """The hosts files of containers on user-defined networks."""

    def __init__(self, projection: Projection, parts: Parts) -> None:
        self._projection = projection
        self._parts = parts

    def of(self, record: Record) -> tuple[Entry, ...]:
        """What a container's file says of the others at this moment."""
        return entries((container.record for container in self._projection), record)

    def changed(self, record: Record) -> None:
        """A container came or left: all files of its network are written anew, beside the caller.

        Its own too: another one may have come while its file was made.
        """
        network = main_network_of(record)
        if not is_user_defined(network):
            return
        connected = on_network((container.record for container in self._projection), network)
        written = [(each, self.of(each)) for each in connected]
        if written:
            self._parts.spawn(self._parts.offload.run(self._write, written))

    def _write(self, files: list[tuple[Record, Sequence[Entry]]]) -> None:
        for record, neighbours in files:
            write_network_files(record, self._parts, neighbours)
