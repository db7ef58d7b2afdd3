"""The events of containers, networks and volumes that come with a container's life, with Docker's attributes."""

from pier.engine.container import Container
from pier.engine.events import Events
from pier.engine.record import Record

_DRIVERS = {"none": "null", "host": "host"}


class News:
    """Publishes what happens to containers. One place knows which attributes an action has."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def container(self, container: Container, action: str, **more: str) -> None:
        """An event of the container itself."""
        self._events.publish("container", action, container.id, container.attributes(**more))

    def networks(self, record: Record, action: str) -> None:
        """`connect` or `disconnect` of each of its networks."""
        for name, settings in record.endpoints.items():
            attributes = {"container": record.id, "name": name, "type": _DRIVERS.get(name, "bridge")}
            self._events.publish("network", action, settings.NetworkID, attributes)

    def mounts(self, record: Record) -> None:
        """`mount` of each of its volumes."""
        for mounted in record.mounts:
            point = mounted.point
            if point.Type == "volume":
                attributes = {
                    "container": record.id,
                    "destination": point.Destination,
                    "driver": point.Driver,
                    "propagation": point.Propagation,
                    "read/write": "true" if point.RW else "false",
                }
                self._events.publish("volume", "mount", point.Name, attributes)

    def unmounts(self, record: Record) -> None:
        """`unmount` of each of its volumes."""
        for mounted in record.mounts:
            if mounted.point.Type == "volume":
                attributes = {"container": record.id, "driver": mounted.point.Driver}
                self._events.publish("volume", "unmount", mounted.point.Name, attributes)

    def volume(self, action: str, name: str, driver: str) -> None:
        """`create` or `destroy` of a volume."""
        self._events.publish("volume", action, name, {"driver": driver})
