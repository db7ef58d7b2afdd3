"""`docker cp` and `docker export`: archives out of and into a container's root."""

import os
import stat
from collections.abc import AsyncIterator

from pier.engine.container import Container
from pier.engine.gathering import owner_of
from pier.engine.parts import Parts
from pier.engine.roots import Root, Roots
from pier.images import archive
from pier.spec.errors import Conflict, Forbidden, InvalidParameter, NotFound


class Archives:
    """Packs and unpacks."""

    def __init__(self, parts: Parts, roots: Roots) -> None:
        self._parts = parts
        self._roots = roots

    async def stat(self, container: Container, path: str) -> str:
        """The value of `X-Docker-Container-Path-Stat` for a path."""
        _check(path)
        async with self._roots.open(container, path) as root:
            return await self._parts.offload.run(_stat, container, root)

    async def read(self, container: Container, path: str) -> AsyncIterator[bytes]:
        """An archive of a path, named by its last component."""
        async with self._roots.open(container, path) as root:
            resource = await self._parts.offload.run(_locate, container, root, abandoned=_close)
            try:
                self._parts.news.container(container, "archive-path")
                async for piece in archive.pack(resource.directory, select=resource.base, rename=resource.name):
                    yield piece
            finally:
                os.close(resource.directory)

    async def write(
        self,
        container: Container,
        path: str,
        source: AsyncIterator[bytes],
        *,
        keep_directories: bool = False,
        as_user: bool = False,
    ) -> None:
        """Unpack an archive into a directory; `as_user` gives everything to the container's user."""
        _check(path)
        async with self._roots.open(container, path) as root:
            if root.read_only:
                raise Forbidden(root.read_only)
            directory = await self._parts.offload.run(_directory, container, root, abandoned=os.close)
            try:
                owner = await self._parts.offload.run(owner_of, container.record, self._parts) if as_user else None
                await archive.extract(source, directory, owner=owner, keep_directories=keep_directories)
            finally:
                os.close(directory)
        self._parts.news.container(container, "extract-to-dir")

    async def export(self, container: Container) -> AsyncIterator[bytes]:
        """An archive of the whole root."""
        async with self._roots.open(container, bare=True) as root:
            self._parts.news.container(container, "export")
            async for piece in archive.pack(root.descriptor):
                yield piece


def _check(path: str) -> None:
    if not path:
        raise InvalidParameter("missing path")
    if "\0" in path:
        raise InvalidParameter("the path holds a NUL byte")


def _locate(container: Container, root: Root) -> archive.Resource:
    try:
        return archive.locate(root.descriptor, root.path)
    except NotFound as error:
        raise NotFound(f"{error.message} in container {container.name}") from None


def _close(resource: archive.Resource) -> None:
    os.close(resource.directory)


def _stat(container: Container, root: Root) -> str:
    resource = _locate(container, root)
    try:
        return archive.stat_header(root.descriptor, resource)
    finally:
        os.close(resource.directory)


def _directory(container: Container, root: Root) -> int:
    """The directory that is unpacked into: a link to one is followed inside the root."""
    try:
        resource = archive.locate(root.descriptor, root.path.rstrip("/") + "/.")
    except NotFound:
        raise NotFound(f"Could not find the file {root.path} in container {container.name}") from None
    if not stat.S_ISDIR(os.fstat(resource.directory).st_mode):
        os.close(resource.directory)
        raise Conflict("extraction point is not a directory")
    return resource.directory
