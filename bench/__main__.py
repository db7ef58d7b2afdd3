"""`python -m bench`: start the engines, run scenarios in turn, print and keep the table."""

import argparse
import compileall
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import durability, events, images, many, report, starting, startup
from bench.disk import disk
from bench.engines import BenchDockerd, BenchPierd, OnDisk
from bench.measure import Row
from tests.support.engines import Engine
from tests.support.images import make_busybox
from tests.support.pierd import SOURCE

Scenario = Callable[[Sequence[Engine], int], list[Row]]
SCENARIOS: dict[str, Scenario] = {
    "run": starting.run,
    "api": starting.api,
    "exec": starting.exec_,
    "clients": starting.clients,
    "hundred": many.hundred,
    "logs": many.logs,
    "idle": many.idle,
    "events": events.events,
    "startup": startup.startup,
    "crash": durability.crash,
    "soak": durability.soak,
    "pull": images.pull,
    "push": images.push,
    "load": images.load,
    "save": images.save,
    "import": images.import_,
    "images-list": images.images_list,
}
ON_DISK = frozenset(("pull", "push", "load", "save", "import", "images-list"))


def main() -> int:
    """Measure what was asked for; 1 when a goal was missed."""
    arguments = parse()
    if os.geteuid() != 0:
        sys.exit("the bench needs root: containers are real")
    names = [name for name in arguments.only.split(",") if name]
    rows: list[Row] = []
    disks = ExitStack()
    engines = start(arguments.peer, disks if ON_DISK.intersection(names) else None)
    try:
        for name in names:
            print(f"… {name}", file=sys.stderr, flush=True)
            found = SCENARIOS[name](engines, arguments.pairs)
            print("\n".join(report.table(found).splitlines()[2:]), file=sys.stderr, flush=True)
            rows += found
        peer = versions(engines)
    finally:
        with disks:
            for engine in engines:
                engine.close()
    text = f"{report.table(rows)}\n\n{report.conditions(arguments.pairs, peer)}"
    print(text)
    report.keep(text)
    if arguments.readme:
        report.write_readme(text)
    return 1 if any(row.reached is False for row in rows) else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only",
        default="run,api,exec,clients,hundred,logs,idle,events,startup,crash",
        help=f"of {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--pairs", type=int, default=20, help="pairs of measurements (soak: runs)")
    parser.add_argument("--peer", choices=("dockerd", "none"), default="dockerd")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only.split(",") if name and name not in SCENARIOS]
    if unknown:
        parser.error(f"unknown scenario: {', '.join(unknown)}")
    return arguments


def start(peer: str, disks: ExitStack | None) -> list[Engine]:
    """Both engines with busybox; Pier alone where dockerd cannot be started. With `disks` each has one of its own."""
    kinds: list[type[OnDisk]] = [BenchPierd] if peer == "none" else [BenchPierd, BenchDockerd]
    engines: list[Engine] = []
    compileall.compile_dir(SOURCE, quiet=1)
    with TemporaryDirectory(prefix="pier-bench-") as directory:
        busybox = make_busybox(Path(directory) / "busybox.tar")
        for kind in kinds:
            engine = kind()
            engine.disk = disks.enter_context(disk()) if disks else None
            try:
                engine.start()
                engine.load(busybox, "busybox:latest")
            except (AssertionError, OSError) as error:
                engine.close()
                if kind is BenchPierd:
                    raise
                print(f"dockerd cannot be started here; Pier is measured alone ({error})", file=sys.stderr)
                continue
            engines.append(engine)
    return engines


def versions(engines: Sequence[Engine]) -> str:
    """The peer's and the command line's versions."""
    client = subprocess.run(["docker", "--version"], capture_output=True, text=True, check=False).stdout
    words = [f"docker command line {client.split()[2].rstrip(',')}" if client else "no docker command line"]
    words += [
        f"dockerd {engine.api('GET', '/version').ok()['Version']}" for engine in engines if engine.kind == "dockerd"
    ]
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main())
