"""A tar stream from a container onto this machine, for `pier cp`. Only loaded when something is copied.

The archive comes from a container and is not trusted: every name is walked from the destination's descriptor, part by
part and without following links, so that neither `..` nor a link that the archive brought leads outside.
"""

from __future__ import annotations

import os
import tarfile

from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PIECE = 1 << 18
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Chunks:
    """The chunks of an answer as the file that tarfile reads."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes unless the chunks end before."""
        pieces, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            piece = next(self._chunks, b"")
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._rest = data[size:] if size >= 0 else b""
        return data[:size] if size >= 0 else data


def unpack(chunks: Iterable[bytes], directory: str, old: str, new: str, *, keep_owner: bool) -> None:
    """Unpack under `directory` with the first component `old` renamed to `new` (empty: its contents)."""
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with tarfile.open(fileobj=Chunks(chunks), mode="r|") as archive:  # type: ignore[call-overload]
            Unpacker(root, old, new, keep_owner=keep_owner).all(archive)
    except tarfile.TarError as error:
        raise Failure(f"invalid archive: {error}") from None
    except OSError as error:
        raise Failure(f"{error.filename or directory}: {(error.strerror or str(error)).lower()}") from None
    finally:
        os.close(root)


class Unpacker:
    """Puts the members of one archive below a directory's descriptor."""

    def __init__(self, root: int, old: str, new: str, *, keep_owner: bool) -> None:
        self.root = root
        self.old = old
        self.new = new
        self.keep_owner = keep_owner
        self.modes: list[tuple[list[str], tarfile.TarInfo]] = []

    def all(self, archive: tarfile.TarFile) -> None:
        """Every member; the modes of directories come last, so that a read-only one can be filled."""
        for member in archive:
            parts = self.parts(member.name)
            if parts:
                self.one(archive, member, parts)
        for parts, member in reversed(self.modes):
            descriptor = self.descend(parts)
            try:
                self.finish(member, descriptor, ".")
            finally:
                os.close(descriptor)

    def parts(self, name: str) -> list[str]:
        """A name's components, with the first one renamed; raises Failure for one that climbs."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Failure(f"invalid archive: {name!r} leads out of the destination")
        if parts and parts[0] == self.old:
            parts[:1] = [self.new] if self.new else []
        return parts

    def descend(self, parts: list[str]) -> int:
        """A descriptor of the directory at these components, made where it is missing."""
        current = os.dup(self.root)
        for part in parts:
            try:
                inner = _open_directory(current, part)
            finally:
                os.close(current)
            current = inner
        return current

    def one(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parts: list[str]) -> None:
        """Make one member."""
        if member.isdir():
            os.close(self.descend(parts))
            self.modes.append((parts, member))
            return
        parent = self.descend(parts[:-1])
        try:
            _clear(parent, parts[-1])
            self.make(archive, member, parent, parts[-1])
            if not member.islnk():
                self.finish(member, parent, parts[-1])
        finally:
            os.close(parent)

    def make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> None:
        """The file, link or device, empty-handed about owner and mode."""
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        elif member.islnk():
            self.hard_link(member, parent, name)
        elif member.isreg():
            self.file(archive, member, parent, name)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=parent)
        elif member.ischr() or member.isblk():
            kind = 0o020000 if member.ischr() else 0o060000
            os.mknod(name, kind | 0o600, os.makedev(member.devmajor, member.devminor), dir_fd=parent)

    def hard_link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        """A second name for what came before, which must lie inside."""
        target = self.parts(member.linkname)
        if not target:
            raise Failure(f"invalid archive: {member.name!r} links to nothing")
        source = self.descend(target[:-1])
        try:
            os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> None:
        """A regular file with its contents."""
        source = archive.extractfile(member)
        assert source is not None
        descriptor = os.open(name, OPEN_NEW, 0o600, dir_fd=parent)
        with os.fdopen(descriptor, "wb") as target:
            while data := source.read(PIECE):
                target.write(data)

    def finish(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        """Owner (where kept), mode and time."""
        if self.keep_owner:
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        if not member.issym():
            os.chmod(name, member.mode & 0o7777, dir_fd=parent)
        os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)


def _open_directory(parent: int, name: str) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        pass
    else:
        os.chmod(name, 0o755, dir_fd=parent)  # noqa: S103 - as mkdir makes one; the archive's own mode comes at the end
    return os.open(name, OPEN_DIRECTORY, dir_fd=parent)


def _clear(parent: int, name: str) -> None:
    """Remove what a file is about to replace; a directory stays and is an error."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
