"""Named points at which a test makes the program die or a call fail: PIER_FAULTS="point=kill,other=ENOSPC,third=EIO@2".

Without the variable a point costs one look into an empty table. `@N` fires at the Nth pass only, else at each.
"""

import contextlib
import errno
import os
import signal
from collections.abc import Iterator


class Fault:
    """What happens at a point: the signal number or errno, and at which pass (0: each)."""

    def __init__(self, number: int, at: int, *, kill: bool) -> None:
        self.kill = kill
        self.number = number
        self.at = at
        self.passes = 0


def parse(text: str) -> dict[str, Fault]:
    """Parse the variable. Raises ValueError naming the part that is wrong."""
    faults: dict[str, Fault] = {}
    for part in filter(None, text.split(",")):
        point, _, action = part.partition("=")
        action, _, at = action.partition("@")
        number = signal.SIGKILL if action == "kill" else getattr(errno, action, 0)
        if not point or not number or not (at or "0").isdigit():
            raise ValueError(f"PIER_FAULTS: {part!r} is not POINT=kill or POINT=ERRNO, with @N or without")
        faults[point] = Fault(int(number), int(at or "0"), kill=action == "kill")
    return faults


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """No point does anything meanwhile: for rehearsals of what is to fail in earnest only."""
    kept = dict(_faults)
    _faults.clear()
    try:
        yield
    finally:
        _faults.update(kept)


_faults = parse(os.environ.get("PIER_FAULTS", ""))


def point(name: str) -> None:
    """A named place: dies or raises OSError here if a fault asks for it."""
    fault = _faults.get(name)
    if fault is None:
        return
    fault.passes += 1
    if fault.at not in (0, fault.passes):
        return
    if fault.kill:
        os.kill(os.getpid(), fault.number)
    raise OSError(fault.number, os.strerror(fault.number), name)
