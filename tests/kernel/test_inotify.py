"""Watches on directories."""

import os
import select
from pathlib import Path

import pytest

from pier.kernel.inotify import IN_CREATE, IN_MODIFY, Inotify


def test_a_watch_tells_of_new_files_and_of_writes(tmp_path: Path) -> None:
    with Inotify() as news:
        news.watch(bytes(tmp_path), IN_CREATE | IN_MODIFY)
        assert select.select([news], [], [], 0)[0] == []
        (tmp_path / "file").write_text("x")
        assert select.select([news], [], [], 60)[0] == [news]
        news.drain()
        assert select.select([news], [], [], 0)[0] == []
    news.close()


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Inotify() as news, pytest.raises(FileNotFoundError):
        news.watch(bytes(tmp_path / "none"), IN_CREATE)
    assert len(os.listdir("/proc/self/fd")) == before
