"""The program of a worker process: unpack one stream into one directory, far from the daemon's loop and memory.

Started as `python -I -S worker.py <paths> <job>`: the import path is set by hand and little is imported, so that it
starts in some 25 ms. It has what it needs as descriptors and touches no path of the host:

    0 the stream (a pipe, or with `growing` a file that is still written)   1 the result, one JSON object
    3 the directory to fill   4 with `growing`, a pipe: 8 bytes tell how far the file is written; its end: it is whole
    5 with `keep`, the file that gets the compressed stream
"""

import gc
import json
import os
import sys

_STREAM, _RESULT, _DIRECTORY, _NOTES, _BLOB = 0, 1, 3, 4, 5


def main() -> None:
    """Do the job that argv names and report; the exit status says nothing."""
    sys.path[:0] = sys.argv[1].split(os.pathsep)
    from pier.images import unpacking

    gc.disable()  # nothing here makes cycles, and half a million entries would each be counted

    os.umask(0)
    job = json.loads(sys.argv[2])
    result = unpacking.run(job, stream=_STREAM, directory=_DIRECTORY, notes=_NOTES, blob=_BLOB)
    try:
        os.write(_RESULT, json.dumps(result).encode("ascii"))
    except BrokenPipeError:
        return  # the daemon has died meanwhile: the next one clears away what was made


if __name__ == "__main__":
    main()
