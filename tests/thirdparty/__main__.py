"""aiodocker's own tests of containers, execs, images, logs and what is around them, on dockerd and on pierd.

The exit status is 0 when pierd passes all that dockerd passes, but for what is listed as not built. The images that
the tests ask for are stand-ins.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.journeys.at_home import DockerdAtHome, PierdAtHome
from tests.journeys.hub import Hub
from tests.support.engines import Engine
from tests.thirdparty import sources, suite
from tests.thirdparty.standins import StandIns

FILES = ("containers", "execs", "images", "integration", "events", "system", "volumes", "networks")
# Builds and swarms are parts of their own (the test of pruning images builds one).
LEFT_OUT = "not build and not swarm and not ssh and not test_prune_images"
# What these need is refused by name until it is built; they run, and are not counted.
NOT_BUILT = {"tests.test_networks::test_networks": "a container has one network"}


def measure(kind: Callable[[Hub], Engine], images: StandIns, arguments: list[str]) -> dict[str, suite.Outcome]:
    """Run the suite on a fresh engine in a world of its own, where Docker Hub has the images."""
    files = [f"tests/test_{name}.py" for name in FILES]
    with TemporaryDirectory(prefix="pier-thirdparty-") as directory, closing(Hub(Path(directory))) as hub:
        images.publish(hub)
        engine = kind(hub)
        try:
            engine.start()
            # one test takes this one for granted
            engine.docker("pull", "python:latest").ok()
            place = hub.world.home
            return suite.run(engine, place, sources.unpacked("aiodocker"), sources.site(), *files, *arguments)
        finally:
            engine.close()


def main(arguments: list[str]) -> int:
    """Compare, print, and say by the status whether pierd does what dockerd does."""
    chosen = arguments or ["-k", LEFT_OUT]
    with TemporaryDirectory(prefix="pier-thirdparty-") as directory:
        images = StandIns(Path(directory))
        expected = measure(DockerdAtHome, images, chosen)
        seen = measure(PierdAtHome, images, chosen)
    print(f"aiodocker {sources.locked('aiodocker')}, tests of {', '.join(FILES)}")
    for name, outcome in sorted(seen.items()):
        peer = expected.get(name, suite.Outcome("not run"))
        if outcome.word != "passed" or peer.word != "passed":
            print(f"  {name}\n      dockerd: {peer.word} {peer.reason}\n      pierd:   {outcome.word} {outcome.reason}")
    for kind, ran in (("dockerd", expected), ("pierd", seen)):
        count = Counter(outcome.word for outcome in ran.values())
        print(f"{kind:8} " + ", ".join(f"{number} {word}" for word, number in sorted(count.items())))
    wrong = [*_worse(expected, seen), *_stale(seen)]
    print("\n".join(wrong))
    return 1 if wrong else 0


def _worse(expected: dict[str, suite.Outcome], seen: dict[str, suite.Outcome]) -> Iterator[str]:
    """What dockerd passes and pierd does not."""
    for name, outcome in expected.items():
        if outcome.word == "passed" and seen[name].word != "passed":
            if name in NOT_BUILT:
                print(f"only dockerd passes {name}; not built: {NOT_BUILT[name]}")
            else:
                yield f"only dockerd passes {name}"


def _stale(seen: dict[str, suite.Outcome]) -> Iterator[str]:
    """What is listed as not built, and passes."""
    return (f"pierd passes {name}, which is listed as not built" for name in NOT_BUILT
            if seen.get(name, suite.Outcome("")).word == "passed")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
