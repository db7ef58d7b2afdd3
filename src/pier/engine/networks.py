"""The networks of the daemon as a service: lists, making and removing, with their events."""

import time

from pier.engine import network_views
from pier.engine.image_filters import until
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.network.definitions import Definition, NetworkRequest
from pier.spec.errors import InvalidParameter, NotSupported, PierError
from pier.spec.filters import Filters
from pier.spec.networks import IPAM, IPAMConfig, NetworkConnect, NetworkCreateRequest, NetworkDisconnect

Json = dict[str, object]


class Networks:
    """Networks over the API. Kernel work runs in threads."""

    def __init__(self, parts: Parts, projection: Projection) -> None:
        self._parts = parts
        self._projection = projection
        self._networks = parts.networks

    def summaries(self, filters: Filters) -> list[Json]:
        """`docker network ls`."""
        chosen = network_views.choose(self._networks.list(), filters, self._used())
        return [network_views.network(definition) for definition in chosen]

    def inspect(self, name: str) -> Json:
        """`docker network inspect`."""
        definition = self._networks.find(name)
        return network_views.network(definition, self._networks.connected(definition.id))

    async def create(self, body: NetworkCreateRequest) -> Json:
        """`docker network create`: the id of the new network."""
        request = _request(body)
        definition = await self._parts.offload.run(self._networks.create, request)
        self._publish("create", definition)
        return {"Id": definition.id, "Warning": ""}

    async def remove(self, name: str) -> None:
        """`docker network rm`."""
        definition = await self._parts.offload.run(self._networks.remove, name)
        self._publish("destroy", definition)

    async def prune(self, filters: Filters) -> Json:
        """`docker network prune`: user-defined networks that no container uses."""
        filters.validate(network_views.PRUNE)
        limit = until(filters, time.time_ns()) if "until" in filters else None
        used, deleted = self._used(), []
        for definition in self._networks.list():
            if not _prunable(definition, filters, limit) or definition.id in used:
                continue
            try:
                await self.remove(definition.id)
            except PierError:
                continue  # somebody uses it since: a prune leaves it alone
            deleted.append(definition.name)
        self._parts.events.publish("network", "prune", "", {"reclaimed": "0"})
        return {"NetworksDeleted": deleted or None}

    def connect(self, name: str, body: NetworkConnect) -> None:
        """`docker network connect`: refused by name, once both sides are known."""
        self._refuse_change(name, body.Container, "connecting a container to a second network")

    def disconnect(self, name: str, body: NetworkDisconnect) -> None:
        """`docker network disconnect`: refused by name, once both sides are known."""
        self._refuse_change(name, body.Container, "disconnecting a container from its network")

    def _refuse_change(self, name: str, container: str, what: str) -> None:
        self._networks.find(name)
        self._projection.find(container)
        raise NotSupported(f"{what} is not supported yet: choose the network with --network when the container is made")

    def _used(self) -> frozenset[str]:
        """The ids of the networks that a container has, running or not."""
        ids = {each.id for each in self._networks.list() if self._networks.connected(each.id)}
        for container in self._projection:
            ids.update(settings.NetworkID for settings in container.record.endpoints.values())
            names = set(container.record.endpoints) | {container.record.host_config.NetworkMode}
            ids.update(each.id for each in self._networks.list() if {each.name, each.id} & names)
        return frozenset(ids)

    def _publish(self, action: str, definition: Definition) -> None:
        attributes = {"name": definition.name, "type": definition.driver}
        self._parts.events.publish("network", action, definition.id, attributes)


def _prunable(definition: Definition, filters: Filters, limit: int | None) -> bool:
    return (
        not network_views.is_predefined(definition)
        and filters.labels(definition.labels)
        and filters.without_labels(definition.labels)
        and (limit is None or network_views.created(definition) <= limit)
    )


def _request(body: NetworkCreateRequest) -> NetworkRequest:
    """The wish of a body; what Pier's networks do not have is refused by name."""
    _refuse(body)
    subnet = _subnet(body.IPAM)
    return NetworkRequest(
        name=body.Name,
        driver=body.Driver or "bridge",
        subnet=subnet.Subnet,
        gateway=subnet.Gateway,
        ip_range=subnet.IPRange,
        internal=body.Internal,
        attachable=body.Attachable,
        ipv6=bool(body.EnableIPv6),
        options=body.Options or {},
        labels=body.Labels or {},
        reserved=subnet.AuxiliaryAddresses or {},
    )


def _refuse(body: NetworkCreateRequest) -> None:
    if body.Ingress:
        raise NotSupported("ingress networks are not supported: Pier is not a swarm node")
    if body.ConfigOnly or (body.ConfigFrom and body.ConfigFrom.Network):
        raise NotSupported("networks of configuration only (--config-only, --config-from) are not supported")
    if body.EnableIPv4 is False:
        raise NotSupported("networks without IPv4 are not supported")
    if body.Scope not in ("", "local"):
        raise NotSupported(f"scope {body.Scope} is not supported: Pier is not a swarm node")


def _subnet(ipam: IPAM | None) -> IPAMConfig:
    if ipam is None:
        return IPAMConfig()
    if ipam.Driver not in ("", "default"):
        raise InvalidParameter(f"could not find an IPAM driver named {ipam.Driver}")
    if ipam.Options:
        raise NotSupported(f"IPAM option {next(iter(ipam.Options))} is not supported")
    configs = ipam.Config or []
    if len(configs) > 1:
        raise NotSupported("networks of several subnets are not supported")
    return configs[0] if configs else IPAMConfig()
