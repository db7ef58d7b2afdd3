"""The making of a container: check, merge with the image, take the name, then directories and volumes.

*Theory of operation.* The record is durable before anything is made for it, marked as half made when volumes come
with it; a daemon that dies in between removes what such a record names at its next start. A create that fails undoes
itself.
"""

import os
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from pier.engine.container import Container
from pier.engine.endpoints import joined_container, wishes
from pier.engine.mount_plan import plan_mounts
from pier.engine.names import check_name, generate_name
from pier.engine.oci import defaults, merging, validate
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import Record, replaced
from pier.engine.volume_making import VolumeMaking
from pier.images.image import Image
from pier.runtime.faults import point
from pier.spec import platforms
from pier.spec.containers import CreateRequest, CreateResponse, HostConfig
from pier.spec.errors import InvalidParameter, NotFound


@dataclass(frozen=True)
class Chance:
    """Where ids, names and the time come from."""

    new_id: Callable[[], str] = lambda: secrets.token_hex(32)
    choose: Callable[[list[str]], str] = random.choice
    now: Callable[[], int] = time.time_ns


class Creating:
    """Creates containers."""

    def __init__(
        self, projection: Projection, parts: Parts, volumes: VolumeMaking, chance: Chance | None = None
    ) -> None:
        self._projection = projection
        self._parts = parts
        self._volumes = volumes
        self._chance = chance or Chance()

    async def create(self, body: CreateRequest, name: str | None, platform: str = "") -> CreateResponse:
        """Make a container of a request; the answer has its id and Docker's warnings."""
        wanted = check_name(name) if name else ""
        host_config = body.HostConfig or HostConfig()
        warnings = list(validate.validate(body, self._parts.host, self._parts.settings))
        image = self._parts.images.find(body.Image)
        if platform:
            _check_platform(body.Image, image, platform)
        record = self._plan(body, host_config, image, wanted)
        container, written = self._projection.add(record)
        async with container.lock, container.root_lock:  # whoever finds it by now waits until it is whole
            try:
                await written
                point("create-recorded")
                await self._make(container, image)
            except BaseException:
                await self._undo(container)
                raise
        self._parts.news.container(container, "create")
        return CreateResponse(record.id, warnings)

    def _plan(self, body: CreateRequest, host_config: HostConfig, image: Image, name: str) -> Record:
        config = merging.merge(body.config(), image.config.config)
        defaults.adapt(host_config, self._parts.host, self._parts.settings)
        if host_config.PidsLimit is not None and host_config.PidsLimit <= 0:
            host_config.PidsLimit = None  # as Docker shows «no limit»
        path, args = merging.program(config)
        id_ = self._chance.new_id()
        config.Hostname = config.Hostname or _hostname(host_config, id_, self._projection)
        endpoints = wishes(host_config, body.NetworkingConfig)
        if len(endpoints) > 1:
            names = ", ".join(endpoints)
            raise InvalidParameter(f"Container cannot be connected to network endpoints: {names}")
        mounts = plan_mounts(
            config,
            host_config,
            find=self._donor,
            new_name=self._chance.new_id,
            data_root=str(self._parts.layout.root),
        )
        return Record(
            id=id_,
            name=name or self._name(id_),
            created=self._chance.now(),
            image_id=image.id,
            layers=image.diff_ids,
            path=path,
            args=tuple(args),
            config=config,
            host_config=host_config,
            endpoints=endpoints,
            mounts=mounts,
            mac=next((settings.MacAddress for settings in endpoints.values()), ""),
            half_made=any(mounted.point.Type == "volume" for mounted in mounts),
        )

    def _donor(self, reference: str) -> Record:
        """The container of a --volumes-from; that there is none is the request's fault, not a missing image's."""
        try:
            return self._projection.find(reference).record
        except NotFound as error:
            raise InvalidParameter(error.message) from None

    def _name(self, id_: str) -> str:
        return generate_name(self._chance.choose, self._projection.has_name, id_[:12])

    async def _make(self, container: Container, image: Image) -> None:
        await self._parts.offload.run(self._make_directories, container.record)
        if container.record.half_made:
            mounts = await self._volumes.make(container.record, image)
            point("create-volumes")
            container.record = replaced(container.record, mounts=mounts, half_made=False)
            await self._projection.save(container)

    def _make_directories(self, record: Record) -> None:
        self._parts.images.confirm(record.image_id)  # the record is known: a removal that comes now sees it
        directory = self._parts.layout.container(record.id)
        directory.mkdir(mode=0o710)
        (directory / "upper").mkdir(mode=0o755)
        (directory / "work").mkdir(mode=0o700)
        # programs look for this file to know that they are in a container
        (directory / "upper" / ".dockerenv").touch(mode=0o755)

    async def _undo(self, container: Container) -> None:
        await self._volumes.remove_anonymous(container.record)
        await self._parts.offload.run(self._parts.remove_files, container.id)
        await self._projection.remove(container)


def _check_platform(name: str, image: Image, text: str) -> None:
    """Raise NotFound, upon which the client pulls the other platform's image."""
    wanted = platforms.parse(text)
    actual = platforms.normalise(image.config.os, image.config.architecture, image.config.variant)
    if wanted.rank(actual) is None:
        raise NotFound(
            f"image with reference {name} was found but does not match the specified platform: "
            f"wanted {wanted}, actual: {actual}"
        )


def _hostname(host_config: HostConfig, id_: str, projection: Projection) -> str:
    """The short id, or in a namespace of somebody else the name that holds there."""
    other = joined_container(host_config.NetworkMode)
    if other:
        try:
            return projection.find(other).record.config.Hostname
        except NotFound as error:
            raise InvalidParameter(error.message) from None  # a 404 would send the client to pull the image
    if host_config.NetworkMode == "host" or host_config.UTSMode == "host":
        return os.uname().nodename
    return id_[:12]
