"""`pierd`: reads its arguments and configuration, and hands over to the service. Starts light: little is imported."""

import gc
import sys
from collections.abc import Sequence

from pier import __version__
from pier.daemon import arguments, configuration, flags
from pier.daemon.settings import Settings
from pier.spec.errors import PierError

_USAGE_ERROR = 125
_FAILED = 1


def main(words: Sequence[str] | None = None) -> int:
    """Run the daemon; the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        given = arguments.parse(words)
    except PierError as error:
        print(f"{error.message}\nSee 'pierd --help'.", file=sys.stderr)
        return _USAGE_ERROR
    if given.get("help") is True:
        print(flags.usage(), end="")
        return 0
    if given.get("version") is True:
        print(f"Pier version {__version__}")
        return 0
    try:
        settings = configuration.joined(given)
    except PierError as error:
        print(error.message, file=sys.stderr)
        return _FAILED
    if given.get("validate") is True:
        print("configuration OK", file=sys.stderr)
        return 0
    return _run(settings, words)


def _run(settings: Settings, words: Sequence[str]) -> int:
    """Serve; errors of the start are one line on standard error."""
    gc.disable()  # loading makes objects and no garbage: looking for it would take a tenth of the start
    from pier.daemon.service import run

    try:
        run(settings, words)
    except PierError as error:
        print(f"failed to start daemon: {error.message}", file=sys.stderr)
        return _FAILED
    finally:
        gc.enable()
    return 0


if __name__ == "__main__":
    sys.exit(main())
