"""Runs a suite of pytest in a process of its own against one engine, and reads what became of each test."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.journeys.world import Place
from tests.support.engines import Engine

SECONDS = 1200
# Beside pytest's words for an end: an error in a fixture counts as a failure, as in its summary.
ENDS = ("failure", "error", "skipped")
# No reaper, which nobody has an image of; the engine is on this host, whatever else it is in.
TESTCONTAINERS = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",
    "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
    "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
}


@dataclass(frozen=True)
class Outcome:
    """`passed`, `failed` or `skipped`, and the first line of the reason."""

    word: str
    reason: str = ""


def run(engine: Engine, place: Place, sources: Path, site: Path, *arguments: str) -> dict[str, Outcome]:
    """Run pytest in `sources`, beside `engine` in its place and with SDKs led to it; outcomes by the tests' names."""
    report = engine.root / "report.xml"
    path = os.pathsep.join((str(sources), str(site)))
    command = [
        sys.executable, "-m", "pytest", "-q", "--override-ini", "addopts=", "--override-ini", "junit_family=xunit2",
        # aiodocker's tests leave broken-off streams to the garbage collector, which blames whichever test runs then
        "-W", "ignore::pytest.PytestUnraisableExceptionWarning", "-p", "no:cacheprovider",
        "--timeout=60", f"--junit-xml={report}", "--basetemp", str(engine.root / "t"),
        *arguments,
    ]  # fmt: skip
    environment = engine.client_environment() | TESTCONTAINERS | {"PYTHONPATH": path}
    with (engine.root / "pytest.log").open("wb") as log:
        done = subprocess.run(
            place.enter("env", f"--chdir={sources}", *command), env=environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, timeout=SECONDS, check=False,
        )  # fmt: skip
    assert done.returncode in (0, 1), (engine.root / "pytest.log").read_text()[-4000:]
    return outcomes(report)


def outcomes(report: Path) -> dict[str, Outcome]:
    """Read a JUnit report; a test with two entries (its own, and its teardown's) has the worse of them."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        ended = next((child for child in case if child.tag in ENDS), None)
        outcome = Outcome("passed")
        if ended is not None:
            word = "skipped" if ended.tag == "skipped" else "failed"
            outcome = Outcome(word, (ended.get("message") or "").strip().partition("\n")[0][:150])
        if name not in found or outcome.word == "failed":
            found[name] = outcome
    return found
