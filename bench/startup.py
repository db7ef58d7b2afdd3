"""Scenario of starting `pier`: CPU beyond what the bare interpreter takes, from compiled modules as when installed."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence

from bench.measure import Row
from tests.support.engines import Engine
from tests.support.pierd import SOURCE

# As the installed launcher does it.
PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pier.cli.main import main; sys.exit(main())"
LIMIT = 25.0
TIMES = 3


def startup(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`pier --help` and `pier ps`, each in turn with an interpreter that does nothing."""
    engine = next(engine for engine in engines if engine.kind == "pierd")
    rows = []
    for words in (["--help"], ["-H", engine.host, "ps"]):
        row = Row(f"`pier {words[-1]}`, CPU beyond the bare interpreter's", "ms", limit=LIMIT)
        for _ in range(pairs * TIMES):
            bare = _cpu([sys.executable, "-I", "-S", "-c", "pass"])
            row.pier.append(_cpu([sys.executable, "-I", "-S", "-c", PROGRAM, str(SOURCE), *words]) - bare)
        rows.append(row)
    return rows


def _cpu(command: Sequence[str]) -> float:
    """User and system time of a program, in ms."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3
