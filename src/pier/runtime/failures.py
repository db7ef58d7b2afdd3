"""The wording and the exit codes of failed starts: Docker's, bit for bit. Pure."""

import os
from errno import EACCES, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ERANGE

from pier.spec.errors import StartFailed

_SHIM = "failed to create shim task: "
_CREATE = f"{_SHIM}OCI runtime create failed: runc create failed: unable to start container process: "
_EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "
_MOUNT_HINT = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)
_NOT_FOUND = ("executable file not found", "no such file or directory", "system cannot find the file specified")
# Where a value of the request meets the kernel, and what the kernel then has against the value and not the host.
_VALUES = (
    "unable to apply cgroup configuration",
    "open /proc/sys/",
    "can't mask path",
    "can't make path read-only",
    "error setting rlimit",
)
_OBJECTIONS = (EINVAL, ENAMETOOLONG, ENOENT, ERANGE)
_REFUSALS = ('exec: "', "because it is inside /proc")
NOT_FOUND, NOT_INVOKED, OTHER = 127, 126, 128


def start_failed(message: str, program: str) -> StartFailed:
    """A container's failed start from the runtime's words, as Docker's daemon reads runc's."""
    return _start_failed(f"{_CREATE}{message}: unknown", message, program, refused=_refused(message))


def foreign_start_failed(message: str, program: str) -> StartFailed:
    """A start that another runtime failed at; the message says which of its commands did.

    It is never the daemon's fault: either the request's value was refused, or the runtime that it names is at fault.
    """
    return _start_failed(f"{_SHIM}{message}: unknown", message, program, refused=True)


def _start_failed(text: str, message: str, program: str, *, refused: bool) -> StartFailed:
    code = OTHER
    if program in message and any(words in message for words in _NOT_FOUND):
        code = NOT_FOUND
    if _says(message, EACCES) or _says(message, EISDIR):
        code = NOT_INVOKED
    if _says(message, ENOTDIR):
        text, code = text + _MOUNT_HINT, NOT_FOUND
    return StartFailed(text, code, refused=refused)


def _refused(message: str) -> bool:
    if any(words in message for words in _REFUSALS):
        return True
    return any(words in message for words in _VALUES) and any(_says(message, number) for number in _OBJECTIONS)


def exec_failed(message: str) -> StartFailed:
    """An exec's failed start; its code is 126 whatever the reason."""
    return StartFailed(f"{_EXEC}{message}: unknown", NOT_INVOKED)


def foreign_exec_failed(message: str) -> StartFailed:
    """An exec that another runtime failed at."""
    return StartFailed(f"{message}: unknown", NOT_INVOKED)


def _says(message: str, number: int) -> bool:
    return os.strerror(number).lower() in message
