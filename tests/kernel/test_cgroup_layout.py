"""The layout of control groups as mountinfo tells it: v1, hybrid and v2."""

from pathlib import Path

from pier.kernel.cgroup import Layout, detect

V1 = """31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
"""
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
V2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"


def layout(tmp_path: Path, text: str, controllers: str = "") -> Layout:
    (tmp_path / "mountinfo").write_text(text)
    return detect(str(tmp_path / "mountinfo"), controllers=controllers)


def test_v1_has_a_tree_per_controller_and_a_named_one(tmp_path: Path) -> None:
    found = layout(tmp_path, V1)
    assert found.version == 1
    assert found.directory("cpuacct", "/a/b") == "/sys/fs/cgroup/cpu,cpuacct/a/b"
    assert found.directory("pids", "/a") == ""
    assert found.mount_points() == (
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/systemd",
    )


def test_a_hybrid_host_limits_on_v1_and_has_the_unified_tree_too(tmp_path: Path) -> None:
    found = layout(tmp_path, V1 + UNIFIED, "hugetlb")
    assert found.version == 1
    assert found.directory("hugetlb", "/a") == "/sys/fs/cgroup/unified/a"
    assert found.directory("memory", "/a") == "/sys/fs/cgroup/memory/a"
    assert found.mount_points()[-1] == "/sys/fs/cgroup/unified"


def test_v2_has_one_tree(tmp_path: Path) -> None:
    found = layout(tmp_path, V2, "cpu memory pids")
    assert found.version == 2
    assert found.directory("pids", "/a/") == "/sys/fs/cgroup/a"
    assert found.mount_points() == ("/sys/fs/cgroup",)
