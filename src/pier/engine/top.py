"""`docker top`: ps(1) of the host, cut to the processes of one container. What its options mean is ps's business."""

import re
import subprocess
from collections.abc import Collection

from pier.spec.errors import InvalidParameter, SystemFailure

Table = dict[str, list[str] | list[list[str]]]
_PATIENCE = 30
# Others print without the column of the pid, or choose processes: the output could not be cut to the container's.
_ALLOWED = re.compile(r"[\w\s,=:%.\-+]*", re.ASCII)


def check_arguments(text: str) -> list[str]:
    """The words of `ps_args` (Docker's default `-ef`); `InvalidParameter` where they could be anything but options
    of ps.
    """
    if _ALLOWED.fullmatch(text) is None:
        raise InvalidParameter(f"invalid ps_args: {text!r}")
    if re.search(r"(^|\s)pid\s*=\s*\S", text):
        raise InvalidParameter('specifying "pid=..." is not allowed')
    return text.split() or ["-ef"]


def run_ps(arguments: list[str], pids: Collection[int]) -> Table:
    """In a thread: run ps with the arguments, restricted by Docker's own trick (`-q`) where this ps takes it."""
    error = ""
    for extra in (["-q" + ",".join(map(str, pids))], []):
        try:
            result = subprocess.run(
                ["ps", *arguments, *extra],
                capture_output=True,
                encoding="utf-8",
                errors="replace",  # a program names itself as it likes
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SystemFailure(f"ps: no answer within {_PATIENCE} s") from None
        if result.returncode == 0:
            return parse(result.stdout, pids)
        error = result.stderr.strip()
    raise SystemFailure(f"ps: {error or 'failed'}")


def parse(output: str, pids: Collection[int]) -> Table:
    """The table of ps, its rows cut to the pids; threads (a `-` as pid) follow their process."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output")
    column = titles.index("PID")
    wanted = {str(pid) for pid in pids}
    rows: list[list[str]] = []
    inside = False
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column:
            continue
        inside = fields[column] in wanted or (inside and fields[column] == "-")
        if inside:
            rows.append(fields)
    return {"Processes": rows, "Titles": titles}
