"""`docker pull`: from a name to an image that is here, layers downloaded and unpacked side by side.

*Theory of operation.* Addresses are tried in order: mirrors, the registry, and in clear only where it is listed. Each
layer has one task (`layer_pull`), which downloads into a blob while a worker unpacks what has come. A layer counts
when its blob has the manifest's digest and its tar the configuration's. Until the image is recorded its layers are
held. What breaks off (a network that fails, a client or a daemon that goes) leaves its finished layers to a lease, for
the pull that comes again; of what is refused nothing stays.
"""

import asyncio
import time

from pier.images.image import Image
from pier.images.images import Images
from pier.images.layer_pull import LayerPull
from pier.images.progress import LayerProgress, Progress, Report
from pier.images.resolving import Found, Resolver
from pier.images.threads import completed
from pier.registry.client import Repository
from pier.registry.failures import Busy
from pier.registry.registries import Registries
from pier.spec import image_config, platforms, references
from pier.spec.credentials import Credentials
from pier.spec.errors import NoSpace, PierError, Unavailable
from pier.spec.manifests import Descriptor
from pier.spec.platforms import Platform
from pier.spec.references import Reference


async def pull(
    reference: Reference | str,
    *,
    images: Images,
    registries: Registries,
    progress: Report,
    credentials: Credentials | None = None,
    platform: str = "",
) -> Image:
    """Pull one name (`:latest` without tag and digest).

    Raises NotFound, Unauthorized, Unavailable… in Docker's words.
    """
    name = references.parse(reference) if isinstance(reference, str) else reference
    name = name.with_default_tag()
    wanted = platforms.parse(platform) if platform else platforms.host()
    failure: PierError | None = None
    for endpoint in await registries.endpoints(name.domain):
        try:
            async with Repository(endpoint, name, registries, credentials) as repository:
                return await _Pull(images, registries, repository, name, wanted, progress).run()
        except PierError as error:
            if isinstance(error, NoSpace) or not (endpoint.mirror or isinstance(error, Unavailable)):
                raise
            # Of the registry itself the first failure tells most, unless it answers in clear that it is busy: plain
            # HTTP on a TLS port only says «bad request».
            again = failure is not None and endpoint.scheme == "http" and not isinstance(error, Busy)
            failure = failure if again else error
    raise failure or Unavailable(f"no address to pull {name.familiar} from")


class _Pull:
    def __init__(
        self,
        images: Images,
        registries: Registries,
        repository: Repository,
        name: Reference,
        platform: Platform,
        report: Report,
    ) -> None:
        self._images = images
        self._registries = registries
        self._repository = repository
        self._name = name
        self._platform = platform
        self._report = report

    async def run(self) -> Image:
        top = await self._repository.manifest(self._name.digest or self._name.tag or "")
        self._report(Progress(f"Pulling from {self._name.path}", id=self._name.tag or self._name.digest or ""))
        found = await Resolver(self._repository, self._name, self._platform).find(top)
        held: list[str] = []
        await completed(self._take_lease, found)
        try:
            await self._layers(found, held)
            image, is_new = await completed(self._record, found)
        except PierError as error:
            if not isinstance(error, Unavailable):
                await completed(self._images.leases.drop, found.document.digest)
            raise
        finally:
            self._images.layers.release(held)
            await completed(self._images.collect, held)
        self._report(Progress(f"Digest: {found.top.digest}"))
        what = "Downloaded newer image" if is_new else "Image is up to date"
        self._report(Progress(f"Status: {what} for {self._name.familiar}"))
        return image

    def _take_lease(self, found: Found) -> None:
        diff_ids = image_config.parse(found.config).diff_ids
        if any(self._images.layers.get(diff_id) is None for diff_id in diff_ids):
            self._images.leases.take(found.document.digest, diff_ids, time.time_ns())

    async def _layers(self, found: Found, held: list[str]) -> None:
        """Bring every layer here, each once; what is held so far stands in `held` whatever happens."""
        diff_ids = image_config.parse(found.config).diff_ids
        pairs: dict[str, Descriptor] = dict(zip(diff_ids, found.manifest.layers, strict=True))
        try:
            async with asyncio.TaskGroup() as tasks:
                for diff_id, descriptor in pairs.items():
                    lines = LayerProgress(self._report, descriptor.digest)
                    shared = (self._images, self._registries, self._repository)
                    work = LayerPull(*shared, descriptor, diff_id, lines=lines, held=held)
                    if work.is_here():
                        lines.tell("Already exists")
                    else:
                        lines.tell("Pulling fs layer")
                        tasks.create_task(work.run())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    def _record(self, found: Found) -> tuple[Image, bool]:
        names = [Reference(self._name.domain, self._name.path, None, found.top.digest)]
        if self._name.tag and not self._name.digest:
            names.append(Reference(self._name.domain, self._name.path, self._name.tag))
        before = self._images.resolve(names[-1])
        image, is_new = self._images.add(
            found.config,
            names=names,
            manifest=found.document,
            target=found.top,
            between=found.between,
            lease=found.document.digest,
        )
        return image, is_new or before != self._images.resolve(names[-1])
