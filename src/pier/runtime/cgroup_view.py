"""The container's view of its control groups under /sys/fs/cgroup: its own subtree, of every hierarchy, read-only."""

import os

from pier.kernel import mount as m
from pier.kernel import openat2
from pier.runtime.steps import Stage, Step

_FLAGS = m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NODEV | m.MOUNT_ATTR_NOEXEC
_AT_FDCWD = -100


class CgroupView(Step):
    """Mount the view: a tmpfs of binds on a v1 or hybrid host, one bind or a cgroup2 mount on a v2 host.

    `hierarchies` are the v1 trees as (name, directory); `attributes` the mount's own, read-only by default.
    """

    destination: str
    path: str
    attributes: int
    unified: str
    hierarchies: tuple[tuple[str, str], ...]
    private: bool

    def context(self) -> str:
        return f'error mounting "cgroup" to rootfs at "{self.destination}"'

    def sources(self) -> "CgroupSources":
        """The step that takes the subtrees while the host's mounts are still ours."""
        if not self.hierarchies:
            return CgroupSources((("", self.unified + self.path),))
        directories = dict.fromkeys(directory for _, directory in self.hierarchies)
        return CgroupSources(tuple((os.path.basename(directory), directory + self.path) for directory in directories))

    def apply(self, stage: Stage) -> None:
        target = openat2.make_directories(stage.root, self.destination)
        try:
            if self.hierarchies:
                self._many(stage, target)
            else:
                self._one(stage, target)
        finally:
            os.close(target)

    def _one(self, stage: Stage, target: int) -> None:
        tree = stage.trees.pop("")
        if self.private:
            os.close(tree)
            tree = m.mounted("cgroup2", (("source", "cgroup"),), self.attributes | _FLAGS)
        self._attach(tree, target)

    def _many(self, stage: Stage, target: int) -> None:
        shelf = m.mounted("tmpfs", (("source", "tmpfs"), ("mode", "755")), _FLAGS)
        m.move_mount(shelf, target)
        try:
            for name, tree in stage.trees.items():
                os.mkdir(name, 0o755, dir_fd=shelf)
                place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=shelf)
                self._attach(tree, place)
                os.close(place)
            for name, directory in self.hierarchies:  # cpu → cpu,cpuacct where they are mounted together
                tree_name, link = os.path.basename(directory), name.removeprefix("name=")
                if link != tree_name:
                    os.symlink(tree_name, link, dir_fd=shelf)
            if self.attributes & m.MOUNT_ATTR_RDONLY:
                m.mount_setattr(shelf, set_=m.MOUNT_ATTR_RDONLY)
        finally:
            stage.trees.clear()
            os.close(shelf)

    def _attach(self, tree: int, place: int) -> None:
        m.mount_setattr(tree, set_=self.attributes | _FLAGS, propagation=m.MS_PRIVATE)
        m.move_mount(tree, place)
        os.close(tree)


class CgroupSources(Step):
    """Take copies of the subtrees."""

    trees: tuple[tuple[str, str], ...]

    def context(self) -> str:
        return "error preparing the view of control groups"

    def apply(self, stage: Stage) -> None:
        for name, directory in self.trees:
            stage.trees[name] = m.open_tree(_AT_FDCWD, directory)
