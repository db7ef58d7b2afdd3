"""Mounts by descriptor in a mount namespace of the test's own."""

import errno
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root
_PROLOGUE = (
    "import os, sys\n"
    "from pier.kernel import mount as m, namespaces\n"
    "namespaces.unshare(namespaces.CLONE_NEWNS)\n"
    "m.mount(None, '/', None, m.MS_REC | m.MS_PRIVATE)\n"
    "base = sys.argv[1]\n"
)


def inside(code: str, base: Path) -> str:
    """Run code in a new mount namespace; what it prints."""
    command = [sys.executable, "-c", _PROLOGUE + code, str(base)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_overlay_shows_its_layers_by_either_way(tmp_path: Path) -> None:
    # lowerdir+ came with Linux 6.7; before, the kernel refuses it when the mount is made
    by_options = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2]) >= (6, 7)
    for name in ("low1", "low2", "upper", "work", "upper2", "work2", "one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "low1/a").write_text("1")
    (tmp_path / "low1/b").write_text("1")
    (tmp_path / "low2/b").write_text("2")
    code = (
        "lowers = (base + '/low1', base + '/low2')\n"
        "ways = ['two']\n"
        "try:\n"
        "    m.move_mount(m.overlay(lowers, base + '/upper', base + '/work'), os.open(base + '/one', os.O_PATH))\n"
        "    ways.insert(0, 'one')\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
        "m.overlay_by_names(lowers, base + '/upper2', base + '/work2', base + '/two')\n"
        "for way in ways:\n"
        "    open(f'{base}/{way}/c', 'w').write('new')\n"
        "    print(*(open(f'{base}/{way}/{name}').read() for name in 'abc'))\n"
    )
    assert inside(code, tmp_path) == ("1 2 new\n1 2 new\n" if by_options else f"{errno.EINVAL}\n1 2 new\n")
    assert not by_options or (tmp_path / "upper/c").read_text() == "new"
    assert (tmp_path / "upper2/c").read_text() == "new"


def test_many_layers_fit_by_names(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:064}/diff").mkdir(parents=True)
        (tmp_path / f"{number:064}/diff/{number}").write_text("")
    for name in ("upper", "work", "target"):
        (tmp_path / name).mkdir()
    code = (
        "lowers = tuple(f'{base}/{number:064}/diff' for number in range(200))\n"
        "m.overlay_by_names(lowers, base + '/upper', base + '/work', base + '/target')\n"
        "print(len(os.listdir(base + '/target')))\n"
    )
    assert inside(code, tmp_path) == "200\n"


def test_attributes_and_attachment(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    code = (
        "mount = m.mounted('tmpfs', (('source', 'x'), ('size', '64k')), m.MOUNT_ATTR_NOEXEC)\n"
        "m.move_mount(mount, os.open(base + '/target', os.O_PATH))\n"
        "m.mount_setattr(mount, set_=m.MOUNT_ATTR_RDONLY)\n"
        "line = next(line for line in open('/proc/self/mountinfo') if base in line)\n"
        "print(line.split()[5], line.split(' - ')[1].strip())\n"
    )
    assert inside(code, tmp_path).startswith("ro,noexec,relatime tmpfs x rw,size=64k")


def test_a_refused_option_is_named(tmp_path: Path) -> None:
    code = "try:\n    m.mounted('tmpfs', (('nonsense', 'x'),))\nexcept OSError as error:\n    print(error.filename)\n"
    assert inside(code, tmp_path) == "nonsense=x\n"


def test_pivot_root_leaves_nothing_of_the_old_root(tmp_path: Path) -> None:
    (tmp_path / "root/inner").mkdir(parents=True)
    code = (
        "root = m.open_tree(-100, base + '/root')\n"
        "m.move_mount(root, os.open(base + '/root', os.O_PATH))\n"
        "m.pivot_root(root)\n"
        "print(os.listdir('/'), os.getcwd())\n"
    )
    assert inside(code, tmp_path) == "['inner'] /\n"
