"""Removing trees that somebody else filled, and finding one's way in them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec.errors import InvalidParameter
from pier.store import trees
from pier.store.places import Places, clean


def test_a_tree_goes_and_what_it_points_to_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    tree = tmp_path / "tree"
    (tree / "a/b/c").mkdir(parents=True)
    (tree / "a/b/link").symlink_to(outside)
    (tree / "a/absolute").symlink_to("/etc")
    os.link(outside / "file", tree / "a/b/c/hard")
    os.mkfifo(tree / "a/fifo")
    trees.remove(tree)
    assert not tree.exists()
    assert (outside / "file").stat().st_nlink == 1


def test_a_file_and_nothing_are_removed_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trees.remove(tmp_path / "file")
    trees.remove(tmp_path / "file")
    trees.remove(tmp_path / "no" / "such" / "place")
    assert os.listdir(tmp_path) == []


def test_a_tree_deeper_than_any_path_goes(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    trees.remove(top)
    assert not top.exists()


def test_a_wide_tree_goes(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / "tree" / str(number % 10) / str(number)).mkdir(parents=True)
    trees.remove(tmp_path / "tree")
    assert os.listdir(tmp_path) == []


@given(st.binary(max_size=60))
def test_a_clean_name_stays_inside(name: bytes) -> None:
    try:
        parts = clean(name)
    except InvalidParameter:
        return
    assert all(part not in (b"", b".", b"..") and b"/" not in part for part in parts)


@pytest.mark.parametrize(
    ("name", "parts"),
    [(b"./a//b/", (b"a", b"b")), (b"/a/../b", (b"b",)), (b"/../a", (b"a",)), (b".", ()), (b"/", ()), (b"a/..", ())],
)
def test_names_become_components(name: bytes, parts: tuple[bytes, ...]) -> None:
    assert clean(name) == parts


@pytest.mark.parametrize("name", [b"..", b"../a", b"a/../../b"])
def test_names_that_lead_out_are_refused(name: bytes) -> None:
    with pytest.raises(InvalidParameter, match="outside"):
        clean(name)


def test_places_are_made_and_links_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/real")
    (tmp_path / "real").mkdir()
    root = os.open(tmp_path, os.O_RDONLY)
    places = Places(root)
    os.mkdir("made", dir_fd=places.directory((b"link", b"x", b"y")))
    places.close()
    os.close(root)
    assert (tmp_path / "real/x/y/made").is_dir()


def test_a_link_to_nowhere_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere")
    root = os.open(tmp_path, os.O_RDONLY)
    places = Places(root)
    with pytest.raises(FileNotFoundError):
        places.directory((b"link", b"x"))
    places.close()
    os.close(root)
    assert os.listdir(tmp_path) == ["link"]
