"""The daemon's own log on standard error, in dockerd's two formats."""

import json
import logging
import sys
from datetime import UTC, datetime

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_WORDS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "fatal"}


class _Text(logging.Formatter):
    """`time="…" level=info msg="…"`."""

    def format(self, record: logging.LogRecord) -> str:
        time, level, words = _parts(self, record)
        return f'time="{time}" level={level} msg={json.dumps(words, ensure_ascii=False)}'


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        time, level, words = _parts(self, record)
        return json.dumps({"level": level, "msg": words, "time": time}, ensure_ascii=False)


def _parts(formatter: logging.Formatter, record: logging.LogRecord) -> tuple[str, str, str]:
    time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    words = record.getMessage()
    if record.exc_info:
        words += "\n" + formatter.formatException(record.exc_info)
    return time, _WORDS.get(record.levelname, "info"), words


def start(level: str, form: str, *, debug: bool) -> None:
    """Begin to log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level, debug=debug)


def set_level(level: str, *, debug: bool) -> None:
    """Change what is logged; `debug` wins over `level`."""
    chosen = logging.DEBUG if debug else _LEVELS[level]
    logging.getLogger().setLevel(max(chosen, logging.INFO))
    # Only our own words at debug level: asyncio's and aiohttp's are about their insides.
    logging.getLogger("pier").setLevel(chosen)
