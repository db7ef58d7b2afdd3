"""`pier stats`: what containers use, once or as a table that is drawn again and again."""

from __future__ import annotations

import json
import sys
import time

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.output import formats, units
from pier.cli.templates.values import Row
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed
    from pier.client.client import Client

FLAGS = """
-a, --all             Show all containers (default shows just running)
    --format string   @format
    --no-stream       Disable streaming stats and only pull the first result
    --no-trunc        Do not truncate output
"""
TABLE = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"
HEADERS = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
INTERVAL = 0.5


def cpu_percent(sample: dict[str, Any]) -> float:
    """CPU time since the last sample in percent of one CPU."""
    now, before = sample["cpu_stats"], sample.get("precpu_stats") or {}
    used = now["cpu_usage"]["total_usage"] - (before.get("cpu_usage") or {}).get("total_usage", 0)
    system = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    online = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or [])
    return used / system * online * 100 if system > 0 and used > 0 else 0.0


def memory_used(memory: dict[str, Any]) -> float:
    """Usage without the page cache that can be given back."""
    details = memory.get("stats") or {}
    usage = memory.get("usage") or 0
    for key in ("total_inactive_file", "inactive_file"):
        if key in details and details[key] < usage:
            return float(usage - details[key])
    return float(usage)


def _transferred(sample: dict[str, Any]) -> tuple[int, int]:
    networks = (sample.get("networks") or {}).values()
    return sum(one["rx_bytes"] for one in networks), sum(one["tx_bytes"] for one in networks)


def _blocks(sample: dict[str, Any]) -> tuple[int, int]:
    entries = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    totals = {"r": 0, "w": 0}
    for entry in entries:
        letter = str(entry.get("op", ""))[:1].lower()
        if letter in totals:
            totals[letter] += entry["value"]
    return totals["r"], totals["w"]


def row(name: str, sample: dict[str, Any] | None, *, trunc: bool) -> Row:
    """A sample as the formatter's fields; `--` where there is none."""
    if sample is None:
        blank = dict.fromkeys(HEADERS, _blank)
        return Row("container.statsContext", blank | {"Container": lambda: name, "ID": lambda: name})
    memory = sample.get("memory_stats") or {}
    used, limit = memory_used(memory), memory.get("limit") or 0
    received, sent = _transferred(sample)
    read, written = _blocks(sample)
    identity = sample.get("id") or ""
    return Row(
        "container.statsContext",
        {
            "Container": lambda: name,
            "Name": lambda: (sample.get("name") or "").removeprefix("/"),
            "ID": lambda: formats.short_id(identity) if trunc else identity,
            "CPUPerc": lambda: f"{cpu_percent(sample):.2f}%",
            "MemUsage": lambda: f"{units.bytes_size(used)} / {units.bytes_size(limit)}",
            "MemPerc": lambda: f"{used / limit * 100 if limit else 0.0:.2f}%",
            "NetIO": lambda: f"{units.human_size(received, 3)} / {units.human_size(sent, 3)}",
            "BlockIO": lambda: f"{units.human_size(read, 3)} / {units.human_size(written, 3)}",
            "PIDs": lambda: str((sample.get("pids_stats") or {}).get("current") or 0),
        },
    )


def _blank() -> object:
    return "--"


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Once, or again and again until the user stops it."""
    names = arguments or _running(cli.client, everything=flags.on("all"))
    form = flags.text("format") or cli.setting("statsFormat")
    form = TABLE if form in ("", "table") else form
    trunc = not flags.on("no-trunc")
    if flags.on("no-stream"):
        samples = _collect(cli, names, strict=bool(arguments))
        formats.show(form, HEADERS, [row(name, samples.get(name), trunc=trunc) for name in names])
        return
    _follow(cli, names, form, trunc=trunc, everything=flags.on("all"), fixed=bool(arguments))


def _running(client: Client, *, everything: bool) -> list[str]:
    query: dict[str, str | list[str]] = {"all": "1"} if everything else {}
    return [formats.short_id(container["Id"]) for container in client.get("/containers/json", query) or []]


def _collect(cli: Cli, names: list[str], *, strict: bool = False) -> dict[str, dict[str, Any]]:
    """One sample of each, asked for at the same time: the daemon takes a second or two for one.

    `strict` says that a container that is not there is an error, as where the user named it.
    """
    opened = []
    for name in names:
        try:
            opened.append((name, cli.client.start("GET", path(name, "stats"), {"stream": "0"})))
        except PierError:
            continue
    result = {}
    for name, pending in opened:
        try:
            result[name] = json.loads(pending.finish().read())
        except (PierError, ValueError):
            if strict:
                raise
    return result


def _follow(cli: Cli, names: list[str], form: str, *, trunc: bool, everything: bool, fixed: bool) -> None:
    terminal = sys.stdout.isatty()
    text = ""
    while True:
        began = time.monotonic()
        samples = _collect(cli, names, strict=fixed and not text)
        text = formats.render(form, HEADERS, [row(name, samples.get(name), trunc=trunc) for name in names])
        if terminal:
            text = "\x1b[H" + "".join(line + "\x1b[K\n" for line in text.splitlines()) + "\x1b[J"
        sys.stdout.write(text)
        sys.stdout.flush()
        time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))
        if not fixed:
            names = _running(cli.client, everything=everything)


DEFINITIONS = {"container stats": Definition("[OPTIONS] [CONTAINER...]", run, flags=FLAGS)}
