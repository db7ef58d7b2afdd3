"""Docker's rules for `rmi`: what a name, an id, `force` and `noprune` remove, in which order it is told, and which
conflicts stop it.

Hard conflicts (a running container, images made from this one) stand against force; soft ones (a stopped container,
several names) do not.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pier.images.image import Deleted, Untagged
from pier.spec import digests, references
from pier.spec.errors import Conflict
from pier.spec.references import Reference

if TYPE_CHECKING:
    from pier.images.images import Images

_SHORT = 12
_TEXT = re.compile(r"(?:sha256:)?[0-9a-f]+\Z")


class Removal:
    """One `rmi` of one name. Run under the images' lock."""

    def __init__(
        self,
        images: "Images",
        *,
        force: bool,
        prune: bool,
        in_use: Callable[[str], list[str]],
        running: Callable[[str], list[str]],
    ) -> None:
        self._images = images
        self._force = force
        self._prune = prune
        self._in_use = in_use
        self._running = running
        self._report: list[Untagged | Deleted] = []

    def run(self, name: str) -> list[Untagged | Deleted]:
        """Remove; what was removed, in Docker's order. NotFound and Conflict in Docker's words."""
        image_id = self._images.find(name).id
        variants = self._variants(image_id, name)
        self._refuse_locked(image_id, *variants)
        report = self._run(image_id, name, variants)
        for other in variants:
            if self._exists(other) and not self._is_named(other):
                self._remove_image(other, quiet=True)
        return report

    def run_variants(self, name: str, image_ids: list[str]) -> list[Untagged | Deleted]:
        """Remove single variants of a name; names that nothing else is left for go with them. Another tag that needs a
        variant is a soft conflict.
        """
        self._refuse_locked(*image_ids)
        for image_id in image_ids:
            self._check(image_id, soft=not self._force, several_names=self._has_other_tag(image_id, name))
        for image_id in image_ids:
            before = self._images.references(image_id)
            self._delete(image_id)
            self._report[:0] = [Untagged(name.familiar) for name in before if self._images.resolve(name) is None]
        return self._report

    def _has_other_tag(self, image_id: str, name: str) -> bool:
        image = self._images.by_id(image_id)
        tags = {text for text in (*image.tags, *image.variant_of) if "@" not in text}
        by_id = _is_id_prefix(image_id, name)
        return len(tags) > 1 if by_id else bool(tags - {references.parse(name).with_default_tag().familiar})

    def _variants(self, image_id: str, name: str) -> list[str]:
        """The other images that a name, or the names of an image, stand for."""
        by_id = _is_id_prefix(image_id, name)
        names = [one.familiar for one in self._images.references(image_id)] if by_id else [name]
        return list(
            dict.fromkeys(one.id for each in names for one in self._images.variants(each) if one.id != image_id)
        )

    def _is_named(self, image_id: str) -> bool:
        return bool(self._images.references(image_id) or self._images.by_id(image_id).variant_of)

    def _run(self, image_id: str, name: str, variants: list[str]) -> list[Untagged | Deleted]:
        by_name = not _is_id_prefix(image_id, name)
        names = self._images.references(image_id)
        if by_name:
            if not self._remove_name(image_id, name, names, variants):
                return self._report
        elif _is_single(names):
            self._check(image_id, soft=not self._force, several_names=False)
            for reference in names:
                self._untag(reference)
        self._remove_image(image_id, quiet=by_name)
        return self._report

    def _remove_name(self, image_id: str, name: str, names: list[Reference], variants: list[str]) -> bool:
        """Remove one name; False when others are left, and the image stays."""
        used = next((one for one in (image_id, *variants) if self._in_use(one)), None)
        if not self._force and _is_single(names) and used:
            users = self._in_use(used)
            raise Conflict(
                f'conflict: unable to remove repository reference "{name}" (must force)'
                f" - container {users[0][:_SHORT]} is using its referenced image {_short(used)}"
            )
        removed = references.parse(name).with_default_tag()
        self._untag(removed)
        left = self._images.references(image_id)
        if removed.digest is None and not any(other.digest is None and other.name == removed.name for other in left):
            for other in left:
                if other.digest is not None and other.name == removed.name:
                    self._untag(other)
            left = self._images.references(image_id)
        return not left

    def _remove_image(self, image_id: str, *, quiet: bool) -> None:
        conflict = self._conflict(image_id, soft=not self._force, several_names=True)
        if conflict is not None:
            used = bool(self._in_use(image_id))
            if quiet and (self._images.references(image_id) or self._images.children(image_id) or used):
                return
            raise conflict
        parent = self._images.by_id(image_id).parent
        for reference in self._images.references(image_id):
            self._untag(reference)
        self._delete(image_id)
        if self._prune and parent and self._exists(parent) and not self._images.locks.has(parent):
            self._force = False
            self._remove_image(parent, quiet=True)

    def _delete(self, image_id: str) -> None:
        image = self._images.by_id(image_id)
        sizes = self._images.layer_sizes(image)
        self._report.append(Deleted(image_id, image))
        if self._in_use(image_id):
            self._images.hide(image_id)
            return
        gone = set(self._images.forget(image_id))
        for depth in range(len(image.diff_ids), 0, -1):
            if image.diff_ids[depth - 1] in gone:
                self._report.append(Deleted(digests.chain_id(image.diff_ids[:depth]), size=sizes[depth - 1]))

    def _refuse_locked(self, *image_ids: str) -> None:
        for image_id in filter(self._images.locks.has, image_ids):
            raise _conflict(image_id, "image is locked against removal, see `pier image unlock`", hard=True)

    def _exists(self, image_id: str) -> bool:
        return any(image.id == image_id for image in self._images.list())

    def _untag(self, reference: Reference) -> None:
        self._images.untag(reference)
        self._report.append(Untagged(reference.familiar))

    def _check(self, image_id: str, *, soft: bool, several_names: bool) -> None:
        conflict = self._conflict(image_id, soft=soft, several_names=several_names)
        if conflict is not None:
            raise conflict

    def _conflict(self, image_id: str, *, soft: bool, several_names: bool) -> Conflict | None:
        if self._images.children(image_id):
            return _conflict(image_id, "image has dependent child images", hard=True)
        running = self._running(image_id)
        if running:
            return _conflict(image_id, f"image is being used by running container {running[0][:_SHORT]}", hard=True)
        if soft and several_names and self._images.references(image_id):
            return _conflict(image_id, "image is referenced in multiple repositories", hard=False)
        users = self._in_use(image_id)
        if soft and users:
            return _conflict(image_id, f"image is being used by stopped container {users[0][:_SHORT]}", hard=False)
        return None


def _conflict(image_id: str, why: str, *, hard: bool) -> Conflict:
    forced = "cannot be forced" if hard else "must be forced"
    return Conflict(f"conflict: unable to delete {_short(image_id)} ({forced}) - {why}")


def _short(image_id: str) -> str:
    return image_id.removeprefix(digests.SHA256)[:_SHORT]


def _is_id_prefix(image_id: str, name: str) -> bool:
    return _TEXT.match(name) is not None and (
        image_id.startswith(name) or image_id.removeprefix(digests.SHA256).startswith(name)
    )


def _is_single(names: list[Reference]) -> bool:
    """At most one tag, and every digest in the same repository."""
    if len(names) <= 1:
        return True
    tags = [name for name in names if name.digest is None]
    if len(tags) > 1:
        return False
    single = tags[0] if tags else names[0]
    return {name.name for name in names if name.digest is not None} == {single.name}
