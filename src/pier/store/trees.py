"""Remove trees that somebody else filled: no link is followed, no depth exhausts descriptors, stack or path length.

Each directory found below the second level is moved up to the top and emptied there, so that at most two directories
are open at a time however deep a container has dug.
"""

import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: str | os.PathLike[str]) -> None:
    """Remove the tree at `path`; nothing happens when it is not there.

    The parent must be ours: only the tree is distrusted.
    """
    directory, name = os.path.split(os.fspath(path))
    try:
        parent = os.open(directory or ".", _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        remove_at(parent, os.fsencode(name))
    except FileNotFoundError:
        return
    finally:
        os.close(parent)


def remove_at(parent: int, name: bytes) -> None:
    """Remove the file or tree `name` of the directory `parent`. Raises OSError, FileNotFoundError among them."""
    try:
        os.unlink(name, dir_fd=parent)
        return
    except (IsADirectoryError, PermissionError):  # unlink of a directory: EISDIR on Linux, EPERM by POSIX
        top = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _empty(top: int) -> None:
    token = os.urandom(8).hex()
    moved = 0
    while entries := _list(top):
        for name, is_directory in entries:
            if not is_directory:
                os.unlink(name, dir_fd=top)
                continue
            child = os.open(name, _DIRECTORY, dir_fd=top)
            try:
                moved = _raise_children(top, child, token, moved)
            finally:
                os.close(child)
            os.rmdir(name, dir_fd=top)


def _raise_children(top: int, child: int, token: str, moved: int) -> int:
    for name, is_directory in _list(child):
        if is_directory:
            moved += 1
            os.rename(name, f".{token}-{moved}", src_dir_fd=child, dst_dir_fd=top)
        else:
            os.unlink(name, dir_fd=child)
    return moved


def _list(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
