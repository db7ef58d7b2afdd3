"""Apply the entries of an archive to a directory: as a layer (whiteouts become overlay's) or as they are (`cp`, build
contexts).

The tree may be full of traps, laid by this archive or by a running container: every step works on a parent's
descriptor and a last component and follows no link there. Nothing outside the root's descriptor is ever reachable.
"""

import errno
import os
import stat

from pier.images import tar_headers as tar
from pier.images import xattrs
from pier.images.tar_headers import Header
from pier.images.tar_reader import TarReader
from pier.spec.errors import InvalidParameter
from pier.store import trees
from pier.store.places import DIRECTORY, Places, clean

_WHITEOUT = b".wh."
_META = b".wh..wh."
_OPAQUE = b".wh..wh..opq"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SMALL = 128 << 10
_MIN_TIME, _MAX_TIME = -(1 << 31) * 1_000_000_000, (1 << 33) * 1_000_000_000
_REPLACED = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP))  # a later entry took a directory's place
_SPECIAL_TYPES = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}


class Limits:
    """How much an archive may hold: its bytes of content and its entries."""

    __slots__ = ("content", "entries")

    def __init__(self, content: int = 1 << 40, entries: int = 10_000_000) -> None:
        self.content = content
        self.entries = entries


class Unpacker:
    """Writes the entries of one archive below `root`, a directory's descriptor.

    Sets no umask: run it where the umask is 0.
    """

    def __init__(self, root: int, *, layer: bool, limits: Limits | None = None, keep_directories: bool = False) -> None:
        self._places = Places(root)
        self._layer = layer
        self._limits = limits or Limits()
        self._keep_directories = keep_directories
        self._head: bytes | None = None
        self._head_parts: tuple[bytes, ...] = ()
        self._times: dict[tuple[bytes, ...], int] = {}  # of directories; of two entries the later one counts
        self.owner: tuple[int, int] | None = None  # everything is given to this user and group, for `cp` without -a
        self.size = 0
        self.entries = 0

    def run(self, reader: TarReader) -> None:
        """Apply everything, then the directories' times.

        Raises InvalidParameter for the archive's faults, OSError for the disk's.
        """
        try:
            for header in reader:
                self._count(header)
                self._apply(header, reader)
            self._set_times()
        finally:
            self._places.close()

    def _count(self, header: Header) -> None:
        self.entries += 1
        self.size += header.size
        if self.entries > self._limits.entries or self.size > self._limits.content:
            raise InvalidParameter("archive holds more than the engine accepts")

    def _apply(self, header: Header, reader: TarReader) -> None:
        parts = self._clean(header.name)
        if not parts:
            self._root(header)
        elif self._layer and parts[-1].startswith(_WHITEOUT):
            self._whiteout(parts)
        elif header.kind == tar.DIRECTORY:
            self._directory(self._places.directory(parts[:-1]), parts, header)
        else:
            parent = self._places.directory(parts[:-1])
            try:
                self._make(parent, parts[-1], header, reader)
            except FileExistsError:
                if header.kind == tar.HARD_LINK and clean(header.link) == parts:
                    return  # how GNU tar packs a file that it was told twice
                self._make(self._make_way(parent, parts), parts[-1], header, reader)

    def _clean(self, name: bytes) -> tuple[bytes, ...]:
        """`clean`, remembering the last directory: its entries come one after the other."""
        head, slash, last = name.rpartition(b"/")
        if not slash or last in (b"", b".", b".."):
            return clean(name)
        if head != self._head:
            self._head, self._head_parts = head, clean(head)
        return (*self._head_parts, last)

    def _make(self, parent: int, name: bytes, header: Header, reader: TarReader) -> None:
        """Make what is no directory. FileExistsError, before anything is read, when something is there."""
        kind = header.kind
        if kind == tar.FILE:
            self._file(parent, name, header, reader)
        elif kind == tar.SYMLINK:
            self._symlink(parent, name, header)
        elif kind == tar.HARD_LINK:
            self._hard_link(parent, name, header)
        elif kind in _SPECIAL_TYPES:
            self._special(parent, name, header)
        else:
            raise InvalidParameter(f"unhandled tar header type {kind[0]}")

    def _root(self, header: Header) -> None:
        if header.kind == tar.DIRECTORY and self._layer:
            self._dress(self._places.root, header)
            self._times[()] = header.mtime_ns

    def _whiteout(self, parts: tuple[bytes, ...]) -> None:
        name = parts[-1]
        if name == _OPAQUE:
            os.setxattr(self._places.directory(parts[:-1]), xattrs.OPAQUE, b"y")
            return
        if name.startswith(_META):
            return  # aufs's bookkeeping, which Docker skips as well
        hidden = name[len(_WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise InvalidParameter(f"invalid whiteout {os.fsdecode(name)!r}")
        parent = self._make_way(self._places.directory(parts[:-1]), (*parts[:-1], hidden))
        os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)

    def _make_way(self, parent: int, parts: tuple[bytes, ...]) -> int:
        """Remove what stands where an entry goes, a directory with all that is in it as in Docker.

        The parent's descriptor from here on.
        """
        name = parts[-1]
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return parent
        except (IsADirectoryError, PermissionError) as error:
            if self._keep_directories:
                raise InvalidParameter(
                    f"cannot overwrite directory {os.fsdecode(name)!r} with non-directory"
                ) from error
            trees.remove_at(parent, name)
        self._places.forget()
        return self._places.directory(parts[:-1])

    def _directory(self, parent: int, parts: tuple[bytes, ...], header: Header) -> None:
        name = parts[-1]
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            fd = self._existing_directory(parent, parts)
        else:
            fd = os.open(name, DIRECTORY, dir_fd=parent)
        self._places.keep(parts, fd)
        self._dress(fd, header)
        self._times.pop(parts, None)  # last in the order too: by a link, a directory can have two names
        self._times[parts] = header.mtime_ns

    def _existing_directory(self, parent: int, parts: tuple[bytes, ...]) -> int:
        name = parts[-1]
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return os.open(name, DIRECTORY, dir_fd=parent)
        if self._keep_directories:
            raise InvalidParameter(f"cannot overwrite non-directory {os.fsdecode(name)!r} with directory")
        os.unlink(name, dir_fd=parent)
        self._places.forget()
        parent = self._places.directory(parts[:-1])
        os.mkdir(name, 0o700, dir_fd=parent)
        return os.open(name, DIRECTORY, dir_fd=parent)

    def _file(self, parent: int, name: bytes, header: Header, reader: TarReader) -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            if header.sparse is not None:
                _write_sparse(fd, header, reader)
            elif header.size <= _SMALL:
                _write(fd, reader.small())
            else:
                _write_large(fd, header, reader)
            self._dress(fd, header)
            time = _clamp(header.mtime_ns)
            os.utime(fd, ns=(time, time))
        finally:
            os.close(fd)

    def _dress(self, fd: int, header: Header) -> None:
        uid, gid = self.owner or (header.uid, header.gid)
        os.fchown(fd, uid, gid)
        os.fchmod(fd, header.mode & 0o7777)
        if header.xattrs:
            xattrs.apply(fd, header.xattrs)

    def _symlink(self, parent: int, name: bytes, header: Header) -> None:
        if not header.link:
            raise InvalidParameter(f"symlink {os.fsdecode(name)!r} has no target")
        os.symlink(header.link, name, dir_fd=parent)
        self._dress_nameless(parent, name, header)

    def _special(self, parent: int, name: bytes, header: Header) -> None:
        major, minor = header.device
        if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
            raise InvalidParameter(f"invalid device number {major}:{minor}")
        os.mknod(name, _SPECIAL_TYPES[header.kind] | 0o600, os.makedev(major, minor), dir_fd=parent)
        self._dress_nameless(parent, name, header)

    def _dress_nameless(self, parent: int, name: bytes, header: Header) -> None:
        """Owner, mode and times of what cannot be opened.

        The path runs over our descriptor and its last component is not followed.
        """
        uid, gid = self.owner or (header.uid, header.gid)
        os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
        if header.kind != tar.SYMLINK:
            _chmod(parent, name, header.mode & 0o7777)
        if header.xattrs:
            xattrs.apply(b"/proc/self/fd/%d/%s" % (parent, name), header.xattrs)
        time = _clamp(header.mtime_ns)
        os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)

    def _hard_link(self, parent: int, name: bytes, header: Header) -> None:
        target = clean(header.link)
        if not target:
            raise InvalidParameter(f"hard link {os.fsdecode(name)!r} has no target")
        try:
            os.link(
                target[-1],
                name,
                src_dir_fd=self._places.directory(target[:-1]),
                dst_dir_fd=parent,
                follow_symlinks=False,
            )
        except FileNotFoundError:
            raise InvalidParameter(
                f"hard link {os.fsdecode(name)!r}: no such file {os.fsdecode(header.link)!r}"
            ) from None
        except PermissionError:
            raise InvalidParameter(f"hard link {os.fsdecode(name)!r} to a directory") from None

    def _set_times(self) -> None:
        """Directories get their times last, since work inside changes them."""
        for parts, mtime_ns in self._times.items():
            time = _clamp(mtime_ns)
            if not parts:
                os.utime(self._places.root, ns=(time, time))
                continue
            try:
                parent = self._places.directory(parts[:-1])
                if stat.S_ISDIR(os.stat(parts[-1], dir_fd=parent, follow_symlinks=False).st_mode):
                    os.utime(parts[-1], ns=(time, time), dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _REPLACED:
                    raise


def _chmod(parent: int, name: bytes, mode: int) -> None:
    """chmod without following a link: by an O_PATH descriptor, whose name under /proc is the thing itself
    (CVE-2021-32760).
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)


def _clamp(time_ns: int) -> int:
    return min(max(time_ns, _MIN_TIME), _MAX_TIME)


def _write(fd: int, content: bytes | memoryview) -> None:
    while content:
        written = os.write(fd, content)
        if written == len(content):
            return
        content = memoryview(content)[written:]


def _write_large(fd: int, header: Header, reader: TarReader) -> None:
    """Large files leave holes for long runs of zeros, so that a bomb of zeros takes no disk."""
    for piece in reader.pieces():
        if len(piece) >= _SMALL and not any(piece[:64]) and piece.tobytes() == bytes(len(piece)):
            os.lseek(fd, len(piece), os.SEEK_CUR)
        else:
            _write(fd, piece)
    os.ftruncate(fd, header.size)


def _write_sparse(fd: int, header: Header, reader: TarReader) -> None:
    regions = iter(header.sparse or ())
    offset = left = 0
    for piece in reader.pieces():
        while piece:
            while not left:
                offset, left = next(regions)
                os.lseek(fd, offset, os.SEEK_SET)
            part = piece[:left]
            _write(fd, part)
            left -= len(part)
            piece = piece[len(part) :]
    os.ftruncate(fd, header.real_size)
