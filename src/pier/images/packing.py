"""Pack a tree as an archive: as it is (`export`, `cp`), or an overlay's upper directory as a layer, its whiteouts as
`.wh.` files.

The tree may belong to a running container. A regular file is opened by a descriptor that was seen to be one, so that
no device or pipe that takes its place is ever opened.
"""

import errno
import os
import stat

from pier.images import tar_headers as tar
from pier.images import xattrs
from pier.images.layered import Layered
from pier.images.tar_headers import Header
from pier.images.tar_writer import TarWriter, Write
from pier.images.walking import Found, Parts, walk

_OPAQUE = b".wh..wh..opq"
_GONE = (errno.ENOENT, errno.EINVAL, errno.ENOTDIR)  # it is not there any more, or not what it was
_KINDS = {
    stat.S_IFREG: tar.FILE,
    stat.S_IFDIR: tar.DIRECTORY,
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFCHR: tar.CHARACTER,
    stat.S_IFBLK: tar.BLOCK_DEVICE,
    stat.S_IFIFO: tar.FIFO,
}

# Empty files that a start lays into an upper directory, to mount its own upon; they belong to no layer.
_PLACES = frozenset((b".dockerenv", b"dev/console", b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"))


class Packer:
    """Writes one archive. `select` names the only entry of the root that goes in, `rename` what it is called there."""

    def __init__(
        self,
        write: Write,
        *,
        layer: bool = False,
        select: bytes | None = None,
        rename: bytes | None = None,
        root_entry: bool = False,
        precise: bool = False,
    ) -> None:
        self._writer = TarWriter(write, precise=precise)
        self._layer = layer
        self._select = select
        self._rename = rename
        self._root_entry = root_entry
        self._links: dict[tuple[int, int], bytes] = {}

    def run(self, root: int) -> None:
        """Pack the directory `root`.

        Sockets are left out, as in Docker. FileNotFoundError when `select` is not there.
        """
        if self._select is not None:
            self._selected(root, self._select)
        else:
            if self._root_entry:
                self._writer.add(_header(b"./", os.fstat(root)))
            for found in walk(root):
                self._add(found, found.parts)
        self._writer.end()

    def run_layers(self, layered: Layered, *, whiteouts: bool) -> None:
        """Pack several layers as one; with `whiteouts` it may lie over others, and says what it hides of them."""
        self._writer.add(_header(b"./", os.fstat(layered.roots[-1])))
        for entry in layered.walk(whiteouts=whiteouts):
            if entry.is_whiteout:
                self._add_whiteout(entry, entry.parts)
                continue
            self._add(entry, entry.parts)
            if whiteouts and entry.closed:
                self._writer.add(_empty(b"/".join((*entry.parts, _OPAQUE)), entry.status))
        self._writer.end()

    def _selected(self, root: int, name: bytes) -> None:
        found = Found((name,), root, name, os.stat(name, dir_fd=root, follow_symlinks=False))
        called = (self._rename or name,)
        self._add(found, called)
        if found.is_directory:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
            try:
                for below in walk(fd):
                    self._add(below, (*called, *below.parts))
            finally:
                os.close(fd)

    def _add(self, found: Found, parts: Parts) -> None:
        name = b"/".join(parts)
        if self._layer and found.is_whiteout:
            self._add_whiteout(found, parts)
            return
        kind = _KINDS.get(stat.S_IFMT(found.status.st_mode))
        if kind is None:
            return
        if kind == tar.FILE:
            self._add_file(found, name)
            return
        header = _header(name + b"/" if kind == tar.DIRECTORY else name, found.status)
        try:
            if kind == tar.SYMLINK:
                header.link = os.readlink(found.name, dir_fd=found.parent)
            header.xattrs = xattrs.read(b"/proc/self/fd/%d/%s" % (found.parent, found.name))
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return
        self._writer.add(header)
        if self._layer and kind == tar.DIRECTORY and _is_opaque(found):
            self._writer.add(_empty(name + b"/" + _OPAQUE, found.status))

    def _add_whiteout(self, found: Found, parts: Parts) -> None:
        self._writer.add(_empty(b"/".join((*parts[:-1], b".wh." + parts[-1])), found.status))

    def _add_file(self, found: Found, name: bytes) -> None:
        try:
            fd = _open_file(found)
        except FileNotFoundError:
            return
        if fd is None:
            return
        try:
            status = os.fstat(fd)
            if self._layer and name in _PLACES and status.st_size == 0:
                return
            header = _header(name, status)
            first = self._links.setdefault((status.st_dev, status.st_ino), name) if status.st_nlink > 1 else name
            if first != name:
                header.kind, header.link, header.size = tar.HARD_LINK, first, 0
                self._writer.add(header)
                return
            header.xattrs = xattrs.read(fd)
            self._writer.add(header, fd)
        finally:
            os.close(fd)


def _open_file(found: Found) -> int | None:
    """Open what is a regular file now; None when it has become something else."""
    seen = os.open(found.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=found.parent)
    try:
        if not stat.S_ISREG(os.fstat(seen).st_mode):
            return None
        return os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(seen)


def _is_opaque(found: Found) -> bool:
    try:
        path = b"/proc/self/fd/%d/%s" % (found.parent, found.name)
        return os.getxattr(path, xattrs.OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _header(name: bytes, status: os.stat_result) -> Header:
    header = Header()
    header.name = name
    header.kind = _KINDS[stat.S_IFMT(status.st_mode)]
    header.mode = status.st_mode & 0o7777
    header.uid, header.gid = status.st_uid, status.st_gid
    header.mtime_ns = status.st_mtime_ns
    if header.kind == tar.FILE:
        header.size = status.st_size
    elif header.kind in (tar.CHARACTER, tar.BLOCK_DEVICE):
        header.device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return header


def _empty(name: bytes, status: os.stat_result) -> Header:
    header = Header()
    header.name, header.kind, header.mtime_ns = name, tar.FILE, status.st_mtime_ns
    return header
