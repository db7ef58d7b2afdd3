"""Environment variables and labels, from flags and from files with one on each line."""

from __future__ import annotations

from pier.cli.create.types import inherited
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def read_lines(path: str, empty: Callable[[str], str] | None) -> list[str]:
    """`NAME=value` lines; comments and blank lines do not count, a bare name is passed to `empty`."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except IsADirectoryError:
        raise Failure(f"invalid env file ({path}): read {path}: is a directory") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failure(f"open {path}: {reason}") from None
    except UnicodeDecodeError:
        raise Failure(f"env file {path} contains invalid utf8 bytes") from None
    result: list[str] = []
    for line in lines:
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, mark, value = text.partition("=")
        if any(blank in name for blank in " \t"):
            raise Failure(f"variable '{name}' contains whitespaces")
        if not name:
            raise Failure(f"no variable name on line '{text}'")
        if mark:
            result.append(f"{name}={value}")
        elif empty is not None:
            found = empty(name)
            result += [found] if "=" in found else []
        else:
            result.append(name)
    return result


def variables(files: list[str], given: list[str]) -> list[str]:
    """What files say, then what flags say."""
    return [line for path in files for line in read_lines(path, inherited)] + given


def labels(files: list[str], given: list[str]) -> dict[str, str]:
    """The labels of files and flags; later ones win."""
    lines = [line for path in files for line in read_lines(path, None)] + given
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
