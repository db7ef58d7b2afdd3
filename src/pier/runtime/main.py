"""`pier-runtime`: the OCI runtime command line, interchangeable with runc and crun: its words, exit codes and log."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from pier.kernel import process
from pier.runtime.arguments import Usage, parse
from pier.runtime.steps import Failure, reason
from pier.spec.errors import PierError

_WRAPPED = (
    "failed to create shim task: OCI runtime create failed: ",
    "OCI runtime exec failed: exec failed: ",
    "OCI runtime exec failed: ",
)
_PREFIX = {"create": "runc create failed: ", "run": "runc run failed: ", "exec": "exec failed: "}
_EXEC_CODE = 255  # runc's, so that callers can tell its own failures from the program's codes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; failures go to the log and to standard error in runc's form."""
    try:
        given = parse(sys.argv[1:] if arguments is None else arguments)
    except Usage as usage:
        if usage.help:
            print(usage.help, flush=True)  # before what stderr says, as runc prints it
        return _fail(usage.given, usage.message, usage.code) if usage.message else 0
    process.set_subreaper()  # so that `run` and `exec` can wait for what they start
    _debug(given, f"{given.command} {getattr(given, 'id', '')}".rstrip())
    try:
        code: int = given.act(given)
    except (PierError, Failure, OSError, TimeoutError, json.JSONDecodeError) as error:
        message = _plain(_words(error), given.command)
        return _fail(given, message, _EXEC_CODE if given.command == "exec" else 1)
    return code


def _words(error: Exception) -> str:
    """An error as Go words it: without the number, the file first."""
    if isinstance(error, OSError) and error.errno and error.filename:
        return f"{os.fsdecode(error.filename)}: {reason(error)}"
    return str(error)


def _plain(message: str, command: str) -> str:
    """A message without what Docker puts around a runtime's words, and with what runc puts there."""
    for before in _WRAPPED:
        if message.startswith(before):
            message = message.removeprefix(before).removesuffix(": unknown")
    message = message.removeprefix(_PREFIX["create"])
    return _PREFIX.get(command, "") + message


def _debug(given: argparse.Namespace, message: str) -> None:
    if given.debug:
        _log(given, "debug", message)


def _fail(given: argparse.Namespace, message: str, code: int) -> int:
    """Log the message; beside a log of its own, standard error gets it too."""
    _log(given, "error", message)
    if given.log:
        print(message, file=sys.stderr)
    return code


def _log(given: argparse.Namespace, level: str, message: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if given.log_format == "json":
        line = json.dumps({"level": level, "msg": message, "time": now}, ensure_ascii=False, separators=(",", ":"))
    else:
        line = f'time="{now}" level={level} msg={json.dumps(message, ensure_ascii=False)}'
    if not given.log:
        print(line, file=sys.stderr)
        return
    try:
        with open(given.log, "a") as log:
            log.write(line + "\n")
    except OSError as error:
        print(f"{given.log}: {error.strerror}\n{line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
