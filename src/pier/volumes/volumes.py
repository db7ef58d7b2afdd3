"""Volumes of the local driver: which there are, where their content lives, and the mounts that their options ask for.

Who uses a volume is the engine's knowledge; here a holder is only counted for volumes that must be mounted while used.
"""

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pier.kernel.mount import MNT_DETACH, MS_BIND, MS_RDONLY, MS_REMOUNT, mount, umount2
from pier.spec import mountinfo
from pier.spec.errors import Conflict, InvalidParameter, NotFound, SystemFailure
from pier.store import trees
from pier.store.records import Delete, Put, Records
from pier.volumes.copyup import copy_up
from pier.volumes.merged import merged_root
from pier.volumes.options import VolumeMount, check

KIND = "volume"
ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
_REMOVED = ".removed-"


class Volume(msgspec.Struct, frozen=True, omit_defaults=True):
    """One volume as it is kept in the records."""

    name: str
    created: str
    driver: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    anonymous: bool = False


class Volumes:
    """The volumes under one directory.

    Plain functions, thread-safe. `now` gives RFC 3339 text, `random_hex` that many digits.
    """

    def __init__(
        self, records: Records, directory: Path, *, now: Callable[[], str], random_hex: Callable[[int], str]
    ) -> None:
        self._records, self._directory, self._now, self._random = records, directory, now, random_hex
        self._lock = threading.RLock()
        self._holders: dict[str, set[str]] = {}
        directory.mkdir(mode=0o701, parents=True, exist_ok=True)
        stored = records.load(KIND)
        self._volumes = {name: msgspec.json.decode(text, type=Volume) for name, text in stored.items()}
        for left in directory.glob(_REMOVED + "*"):
            with suppress(OSError):
                trees.remove(left)

    def create(
        self,
        name: str = "",
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Volume, bool]:
        """Return the volume of that name and whether it is new.

        Without a name it is anonymous and gets 64 hex digits.
        """
        if driver not in ("", "local"):
            words = f'error looking up volume plugin {driver}: plugin "{driver}" not found'
            raise NotFound(f"create {name}: {words}" if name else words)
        with self._lock:
            if present := self._volumes.get(name):
                return present, False
            volume = self._defined(name, options, labels)
            self._records.write(Put(KIND, volume.name, msgspec.json.encode(volume))).result()
            try:
                self._lay(volume.name)
            except OSError as error:
                self._records.write(Delete(KIND, volume.name)).result()
                raise SystemFailure(f"create {volume.name}: {error.strerror}: {error.filename}") from error
            self._volumes[volume.name] = volume
        return volume, True

    def find(self, name: str) -> Volume:
        """Return the volume. NotFound as Docker says it."""
        volume = self._volumes.get(name)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    def list(self) -> tuple[Volume, ...]:
        """Return every volume, by name."""
        with self._lock:
            return tuple(self._volumes[name] for name in sorted(self._volumes))

    def remove(self, name: str, force: bool = False, users: Callable[[], Sequence[str]] = tuple) -> None:
        """Remove the volume with its content.

        Conflict while containers have it: `users` is asked under the lock that a container's making waits for, so that
        none comes in between. `force` pardons one that is not there.
        """
        with self._lock:
            try:
                volume = self.find(name)
            except NotFound:
                if force:
                    return
                raise
            if having := list(users()) or sorted(self._holders.get(name, ())):
                shown = ", ".join(having)
                raise Conflict(f"remove {name}: volume is in use - [{shown}]")
            away = self._directory / (_REMOVED + self._random(16))
            self._unmount(volume)
            with suppress(FileNotFoundError):
                os.rename(self._directory / name, away)
            self._records.write(Delete(KIND, name)).result()
            del self._volumes[name]
        with suppress(OSError):  # the rest goes at the next start
            trees.remove(away)

    def path(self, name: str) -> Path:
        """Return the directory with the volume's content."""
        return self._directory / self.find(name).name / "_data"

    def usage(self, name: str) -> int:
        """Return the bytes that a volume's content takes, hard links counted once."""
        seen: set[tuple[int, int]] = set()
        total = 0
        for _, _, files, descriptor in os.fwalk(self.path(name)):
            for file in files:
                with suppress(FileNotFoundError):
                    status = os.stat(file, dir_fd=descriptor, follow_symlinks=False)
                    if (status.st_dev, status.st_ino) not in seen:
                        seen.add((status.st_dev, status.st_ino))
                        total += status.st_size
        return total

    def fill(self, name: str, layers: Sequence[Path], path: str) -> bool:
        """Copy what the image (its layers lowest first) has at `path` into the volume, if that is empty.

        True when copied.
        """
        if not layers:
            return False
        try:
            with merged_root(layers) as root:
                return copy_up(root, path, self.path(name))
        except (OSError, RecursionError) as error:
            raise SystemFailure(f"failed to copy the image's content into volume {name}: {error}") from error

    # volumes with options are mounted while somebody uses them

    def acquire(self, name: str, holder: str) -> Path:
        """Return the volume's directory, mounted if its options say so, until `release` by the same holder."""
        with self._lock:
            volume = self.find(name)
            if (wanted := check(name, volume.options or {})) is not None:
                holders = self._holders.setdefault(name, set())
                if not holders and not _is_mounted(self.path(name)):
                    self._mount(volume, wanted)
                holders.add(holder)
        return self.path(name)

    def release(self, name: str, holder: str) -> None:
        """Give up a use; the last one unmounts. Not holding it is no error."""
        with self._lock:
            holders = self._holders.get(name)
            if holders is None or name not in self._volumes:
                return
            holders.discard(holder)
            if not holders:
                del self._holders[name]
                self._unmount(self._volumes[name])

    def restore(self, holders: Mapping[str, Iterable[str]]) -> None:
        """After a restart: `holders` maps volumes to the containers that run with them; the rest is unmounted."""
        with self._lock:
            for volume in self._volumes.values():
                users = set(holders.get(volume.name, ()))
                if volume.options and users:
                    self._holders[volume.name] = users
                elif volume.options:
                    self._unmount(volume)

    def _defined(self, name: str, options: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> Volume:
        anonymous = not name
        if anonymous:
            name = self._random(64)
            labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
        elif len(name) == 1:
            words = "volume name is too short, names should be at least two alphanumeric characters"
            raise InvalidParameter(f"create {name}: {words}")
        elif not _NAME.fullmatch(name) or len(name.encode()) > 255:
            words = 'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
            hint = "If you intended to pass a host directory, use absolute path"
            raise InvalidParameter(f'create {name}: "{name}" {words}. {hint}')
        check(name, options or {})
        return Volume(
            name=name,
            created=self._now(),
            labels=dict(labels) if labels is not None else None,
            options=dict(options) if options else None,
            anonymous=anonymous,
        )

    def _lay(self, name: str) -> None:
        top = self._directory / name
        top.mkdir(mode=0o701, exist_ok=True)
        top.chmod(0o701)
        content = top / "_data"
        content.mkdir(exist_ok=True)
        content.chmod(0o755)

    def _mount(self, volume: Volume, wanted: VolumeMount) -> None:
        target = str(self.path(volume.name))
        try:
            if wanted.flags & MS_BIND:
                mount(wanted.device, target, None, wanted.flags)
                if wanted.flags & ~MS_BIND & MS_RDONLY:
                    mount(None, target, None, wanted.flags | MS_REMOUNT | MS_BIND)
            else:
                mount(wanted.device, target, wanted.filesystem, wanted.flags, wanted.data or None)
            for propagation in wanted.propagation:
                mount(None, target, None, propagation)
        except OSError as error:
            self._unmount(volume)
            words = f"failed to mount local volume: mount {wanted.device}:{target}"
            reason = os.strerror(error.errno or 0).lower()
            flags = f", flags: {wanted.flags:#x}" if wanted.flags else ""
            data = f", data: {wanted.data}" if wanted.data else ""
            raise SystemFailure(f"error while mounting volume '{target}': {words}{flags}{data}: {reason}") from error

    def _unmount(self, volume: Volume) -> None:
        target = self.path(volume.name)
        if volume.options and _is_mounted(target):
            with suppress(OSError):
                umount2(str(target), MNT_DETACH)


def _is_mounted(path: Path) -> bool:
    """Whether something is mounted on the directory, a bind from the same file system too."""
    point = str(path.parent.resolve() / path.name)
    return any(mount.point == point for mount in mountinfo.parse(mountinfo.SELF.read_bytes()))
