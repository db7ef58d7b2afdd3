"""aiodocker's own tests of containers, execs, images, logs and what is around them, on dockerd and on pierd.

The exit status is 0 when pierd passes at least as many as dockerd, and fails none that dockerd passes. The images that
the tests ask for are stand-ins: Python on a Debian of this host's own packages, under their names.
"""

import platform
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.journeys.at_home import DockerdAtHome, PierdAtHome
from tests.journeys.hub import Hub
from tests.journeys.layouts import Layout
from tests.support import debian
from tests.support.engines import Engine
from tests.thirdparty import sources, suite

FILES = ("containers", "execs", "images", "integration", "events", "system", "volumes", "networks")
# Builds and swarms are parts of their own (the test of pruning images builds one).
LEFT_OUT = "not build and not swarm and not ssh and not test_prune_images"
IMAGES = ("library/python:3.13-alpine", "library/python:3.14-alpine", "library/python:latest")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def measure(kind: Callable[[Hub], Engine], layout: Layout, arguments: list[str]) -> dict[str, suite.Outcome]:
    """Run the suite on a fresh engine in a world of its own, where Docker Hub has the images."""
    files = [f"tests/test_{name}.py" for name in FILES]
    with TemporaryDirectory(prefix="pier-thirdparty-") as directory, closing(Hub(Path(directory))) as hub:
        for image in IMAGES:
            hub.publish(layout.root, image)
        engine = kind(hub)
        try:
            engine.start()
            place = hub.world.home
            return suite.run(engine, place, sources.unpacked("aiodocker"), sources.site(), *files, *arguments)
        finally:
            engine.close()


def main(arguments: list[str]) -> int:
    """Compare, print, and say by the status whether pierd does what dockerd does."""
    chosen = arguments or ["-k", LEFT_OUT]
    with TemporaryDirectory(prefix="pier-thirdparty-") as directory:
        tar = debian.make_debian(Path(directory) / "python.tar", "python3", links={"usr/bin/python": "python3"})
        layout = Layout(Path(directory) / "layout")
        layout.write(tar.read_bytes(), (ARCHITECTURE,), ["python"])
        expected = measure(DockerdAtHome, layout, chosen)
        seen = measure(PierdAtHome, layout, chosen)
    print(f"aiodocker {sources.locked('aiodocker')}, tests of {', '.join(FILES)}")
    for name, outcome in sorted(seen.items()):
        peer = expected.get(name, suite.Outcome("not run"))
        if outcome.word != "passed" or peer.word != "passed":
            print(f"  {name}\n      dockerd: {peer.word} {peer.reason}\n      pierd:   {outcome.word} {outcome.reason}")
    counts = {kind: Counter(outcome.word for outcome in ran.values()) for kind, ran in
              (("dockerd", expected), ("pierd", seen))}  # fmt: skip
    for kind, count in counts.items():
        print(f"{kind:8} " + ", ".join(f"{number} {word}" for word, number in sorted(count.items())))
    worse = [name for name, outcome in expected.items() if outcome.word == "passed" and seen[name].word != "passed"]
    for name in worse:
        print(f"only dockerd passes {name}")
    return 1 if worse or counts["pierd"]["passed"] < counts["dockerd"]["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
