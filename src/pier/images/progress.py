"""Docker's progress messages (`{"status":…,"id":…,"progressDetail":{…}}`), ready to be encoded."""

from collections.abc import Callable

import msgspec


class ProgressDetail(msgspec.Struct, omit_defaults=True):
    """How far something is, in bytes."""

    current: int = 0
    total: int = 0


class Progress(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One message. `progress_detail` is present, if empty, on the messages that belong to a layer."""

    status: str = ""
    progress_detail: ProgressDetail | None = None
    id: str = ""


Report = Callable[[Progress], None]

_STEP = 512 << 10


class LayerProgress:
    """The messages of one layer; figures are told every half megabyte."""

    def __init__(self, report: Report, digest: str) -> None:
        self._report = report
        self._id = digest.partition(":")[2][:12]
        self._told = -_STEP

    def tell(self, status: str) -> None:
        """A message without figures."""
        self._told = -_STEP
        self._report(Progress(status, ProgressDetail(), self._id))

    def hear(self, status: str, current: int, total: int) -> None:
        """A message from whoever works on the layer; `current` is negative where it has no figures."""
        if current < 0:
            self.tell(status)
        else:
            self.figure(status, current, total)

    def figure(self, status: str, current: int, total: int) -> None:
        """A message with figures, unless one was given a moment ago."""
        if current - self._told >= _STEP or current == total:
            self._told = current
            self._report(Progress(status, ProgressDetail(current, total), self._id))
