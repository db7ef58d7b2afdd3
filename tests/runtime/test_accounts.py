"""A container's accounts are read through its layers as an overlay would show them."""

import os
from pathlib import Path

import pytest

from pier.runtime.accounts import LIMIT, Accounts, read
from pier.spec.errors import InvalidParameter


def layer(root: Path, name: str, **files: str) -> str:
    """A layer directory; keyword names are files below etc."""
    (root / name / "etc").mkdir(parents=True)
    for file, text in files.items():
        (root / name / "etc" / file).write_text(text)
    return str(root / name)


def test_the_highest_layer_wins_and_lower_ones_show_through(tmp_path: Path) -> None:
    low, high = layer(tmp_path, "low", passwd="low", group="low"), layer(tmp_path, "high", passwd="high")
    assert read((low, high)) == Accounts(b"high", b"low")
    upper = layer(tmp_path, "upper", group="upper")
    assert read((low, high), upper) == Accounts(b"high", b"upper")


def test_missing_files_and_directories_are_empty(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    assert read((str(tmp_path / "bare"),)) == Accounts()


@pytest.mark.root
def test_whiteouts_and_opaque_directories_hide_lower_layers(tmp_path: Path) -> None:
    low = layer(tmp_path, "low", passwd="low", group="low")
    high = layer(tmp_path, "high")
    os.mknod(f"{high}/etc/passwd", 0o020000, os.makedev(0, 0))
    assert read((low, high)) == Accounts(b"", b"low")
    opaque = layer(tmp_path, "opaque", group="new")
    os.setxattr(f"{opaque}/etc", "trusted.overlay.opaque", b"y")
    assert read((low, opaque)) == Accounts(b"", b"new")


def test_a_file_above_a_directory_hides_it(tmp_path: Path) -> None:
    low = layer(tmp_path, "low", passwd="low")
    (tmp_path / "high").mkdir()
    (tmp_path / "high" / "etc").write_text("")
    assert read((low, str(tmp_path / "high"))) == Accounts()


def test_links_are_followed_across_layers_inside_the_root(tmp_path: Path) -> None:
    low = layer(tmp_path, "low", group="group")
    (tmp_path / "low" / "usr").mkdir()
    (tmp_path / "low" / "usr" / "accounts").write_text("there")
    high = layer(tmp_path, "high")
    os.symlink("../../../usr/accounts", f"{high}/etc/passwd")
    assert read((low, high)) == Accounts(b"there", b"group")
    os.unlink(f"{high}/etc/passwd")
    os.symlink("/usr/./accounts", f"{high}/etc/passwd")
    assert read((low, high)).passwd == b"there"


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    low = layer(tmp_path, "low")
    os.symlink("passwd", f"{low}/etc/passwd")
    assert read((low,)) == Accounts()


def test_what_is_no_regular_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    low = layer(tmp_path, "low")
    os.mkfifo(f"{low}/etc/passwd")
    with pytest.raises(InvalidParameter, match="/etc/passwd of the container is not a regular file"):
        read((low,))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    low = layer(tmp_path, "low")
    with open(f"{low}/etc/group", "wb") as file:
        file.truncate(LIMIT + 1)
    with pytest.raises(InvalidParameter, match="larger than"):
        read((low,))
