"""What the spawner reads ahead for its keepers."""

import subprocess
import sys
from pathlib import Path

import pier

_PROGRAM = """
import sys
sys.path.insert(0, {source!r})
from pier.runtime import preload
finder = preload.run()
import pier.runtime.spawner
print(finder.left())
print(all(sys.modules[name].__file__ for name in preload.KEPT))
"""


def test_every_module_that_was_read_ahead_is_made_of_what_was_read() -> None:
    source = str(Path(pier.__file__).parent.parent)
    words = [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM.format(source=source)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["()", "True"]
