"""The steps that make a container's file system: its root, mounts, devices; what is hidden is in `runtime/masks.py`.

Every target is opened inside the new root by openat2(RESOLVE_IN_ROOT) and mounted on by descriptor, so that no symbolic
link of the image or of a shared volume leads outside, however it is swapped meanwhile (CVE-2021-30465 and its kin).
"""

import errno
import os
import stat

from pier.kernel import mount as m
from pier.kernel import namespaces, openat2
from pier.runtime.copy_up import copy_up
from pier.runtime.options import MountOptions
from pier.runtime.steps import Failure, Stage, Step

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_AT_FDCWD = -100
# What may be mounted over inside /proc: lxcfs's files, and what runc allows beside them.
PROC_FILES = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
        "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
    )
)  # fmt: skip


class OverlayRoot(Step):
    """Mount the layers and attach them on `at`, in this mount namespace only."""

    lowers: tuple[str, ...]
    upper: str
    work: str
    at: str
    options: tuple[tuple[str, str], ...]

    def context(self) -> str:
        return "error mounting overlay root"

    def apply(self, stage: Stage) -> None:
        try:
            stage.root = m.overlay(self.lowers, self.upper, self.work, self.options)
        except OSError as error:
            # before 6.5 the overlay takes any option and refuses them all at once when the mount is made
            if error.errno != errno.EINVAL:
                raise
            m.overlay_by_names(self.lowers, self.upper, self.work, self.at, self.options)
            stage.root = os.open(self.at, _DIRECTORY)
            return
        _attach(stage.root, self.at)


class PlainRoot(Step):
    """Make a directory the root: a bind of itself, so that it is a mount."""

    path: str
    at: str

    def context(self) -> str:
        return f"error mounting root {self.path!r}"

    def apply(self, stage: Stage) -> None:
        stage.root = m.open_tree(_AT_FDCWD, self.path, recursive=True)
        m.mount_setattr(stage.root, propagation=m.MS_PRIVATE, recursive=True)
        _attach(stage.root, self.at)


class BindSource(Step):
    """Take a copy of a bind mount's source while the host's mount namespace is still ours."""

    number: int
    source: str
    destination: str
    recursive: bool

    def context(self) -> str:
        return f'error mounting "{self.source}" to rootfs at "{self.destination}": stat {self.source}'

    def apply(self, stage: Stage) -> None:
        _, proc, pid, root, *inside = (*self.source.split("/", 4), "", "")
        if proc == "proc" and root == "root" and pid.isdigit():
            stage.sources[self.number] = _of_process(pid, f"/{inside[0]}", recursive=self.recursive)
        else:
            stage.sources[self.number] = m.open_tree(_AT_FDCWD, self.source, recursive=self.recursive)


def _of_process(pid: str, path: str, *, recursive: bool) -> int:
    """A copy of a mount of another container (its /dev/shm), which only its own mount namespace gives away.

    The path is resolved in that container's root, whatever its links say.
    """
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespaces.setns(other, namespaces.CLONE_NEWNS)
        try:
            root = os.open("/", _DIRECTORY)
            place = openat2.open_in_root(root, path)
            os.close(root)
            try:
                return m.open_tree(place, recursive=recursive)
            finally:
                os.close(place)
        finally:
            namespaces.setns(own, namespaces.CLONE_NEWNS)
    finally:
        os.close(own)
        os.close(other)


class Bind(Step):
    """Attach the source of the same number."""

    number: int
    source: str
    destination: str
    options: MountOptions

    def context(self) -> str:
        flags = m.MS_BIND | (m.MS_REC if self.options.recursive else 0)
        return (
            f'error mounting "{self.source}" to rootfs at "{self.destination}": '
            f"mount {self.source}:{self.destination} (via /proc/self/fd/6), flags: {flags:#x}"
        )

    def apply(self, stage: Stage) -> None:
        source = stage.sources.pop(self.number)
        try:
            _set_attributes(source, self.options)
            directory = stat.S_ISDIR(os.fstat(source).st_mode)
            target = _target(stage, self.destination, directory=directory)
            try:
                if stat.S_ISDIR(os.fstat(target).st_mode) != directory:  # the kernel says EINVAL, mount(2) says this
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                m.move_mount(source, target)
            finally:
                os.close(target)
        finally:
            os.close(source)


class Filesystem(Step):
    """Mount a file system of the kernel: proc, sysfs, tmpfs, devpts, mqueue, cgroup2 …"""

    filesystem: str
    source: str
    destination: str
    options: MountOptions

    def context(self) -> str:
        return f'error mounting "{self.source}" to rootfs at "{self.destination}"'

    def apply(self, stage: Stage) -> None:
        target = self._target(stage)
        try:
            settings = (("source", self.source or self.filesystem), *self.options.data)
            mount = m.mounted(self.filesystem, settings, self.options.set | self.options.set_tree)
            try:
                if self.options.copy_up:
                    copy_up(target, mount)
                m.move_mount(mount, target)
                if self.options.propagation:
                    m.mount_setattr(mount, propagation=self.options.propagation)
            except BaseException:
                os.close(mount)
                raise
            if self.filesystem == "proc":
                stage.procfs = mount
            else:
                os.close(mount)
        finally:
            os.close(target)

    def _target(self, stage: Stage) -> int:
        """proc and sysfs only go on real directories (CVE-2019-19921): a link would leave the real path uncovered."""
        if self.filesystem not in ("proc", "sysfs"):
            return _target(stage, self.destination, directory=True)
        try:
            os.close(openat2.make_directories(stage.root, self.destination))
            resolve = openat2.RESOLVE_IN_ROOT | openat2.RESOLVE_NO_SYMLINKS
            return openat2.openat2(stage.root, self.destination, _DIRECTORY, resolve=resolve)
        except OSError:
            message = f'filesystem "{self.filesystem}" must be mounted on ordinary directory'
            raise Failure(f"{self.context()}: {message}") from None


class DeviceNode(Step):
    """Make a device node, as the image cannot: in the container's own /dev."""

    path: str
    mode: int
    device: int
    uid: int
    gid: int

    def context(self) -> str:
        return f"error creating device nodes: mknod {self.path}"

    def apply(self, stage: Stage) -> None:
        head, _, name = self.path.rpartition("/")
        directory = openat2.make_directories(stage.root, head)
        try:
            os.mknod(name, self.mode, self.device, dir_fd=directory)
            if self.uid or self.gid:
                os.chown(name, self.uid, self.gid, dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            pass
        finally:
            os.close(directory)


class Links(Step):
    """Make symbolic links in /dev."""

    links: tuple[tuple[str, str], ...]

    def context(self) -> str:
        return "error setting up ptmx"

    def apply(self, stage: Stage) -> None:
        directory = openat2.openat2(stage.root, "dev", _DIRECTORY)
        try:
            for name, target in self.links:
                try:
                    os.symlink(target, name, dir_fd=directory)
                except FileExistsError:
                    pass
        finally:
            os.close(directory)


class WorkingDirectoryExists(Step):
    """Make the working directory, as Docker does, inside the root."""

    path: str

    def context(self) -> str:
        return f"mkdir {self.path}"

    def apply(self, stage: Stage) -> None:
        os.close(openat2.make_directories(stage.root, self.path))


class PivotRoot(Step):
    """Enter the root and let go of the host's."""

    readonly: bool
    propagation: int
    propagation_tree: bool

    def context(self) -> str:
        return "error jailing process inside rootfs: pivot_root"

    def apply(self, stage: Stage) -> None:
        m.pivot_root(stage.root)
        if self.propagation:
            m.mount_setattr(stage.root, propagation=self.propagation, recursive=self.propagation_tree)
        if self.readonly:
            m.mount_setattr(stage.root, set_=m.MOUNT_ATTR_RDONLY)


def _attach(mount: int, at: str) -> None:
    target = os.open(at, _DIRECTORY)
    try:
        m.move_mount(mount, target)
    finally:
        os.close(target)


def _set_attributes(mount: int, options: MountOptions) -> None:
    propagation = options.propagation or m.MS_PRIVATE | m.MS_REC
    tree = options.propagation_tree or not options.propagation
    m.mount_setattr(mount, propagation=propagation & ~m.MS_REC, recursive=tree)
    if options.set or options.clear:
        m.mount_setattr(mount, set_=options.set, clear=options.clear)
    if options.set_tree or options.clear_tree:
        m.mount_setattr(mount, set_=options.set_tree, clear=options.clear_tree, recursive=True)


def _target(stage: Stage, destination: str, *, directory: bool) -> int:
    """Open where to mount, making what is missing. Refuses every place inside /proc but the listed files."""
    make = openat2.make_directories if directory else openat2.make_file
    try:
        target = openat2.open_in_root(stage.root, destination)
    except FileNotFoundError:
        target = make(stage.root, destination)
    if stage.procfs >= 0 and os.fstat(target).st_dev == os.fstat(stage.procfs).st_dev and destination not in PROC_FILES:
        os.close(target)
        raise Failure(f'"{destination}" cannot be mounted because it is inside /proc')
    return target
