"""How a command ends other than well: a message and an exit code.

Failure       anything that ends the command with a message (or none) and a code
└── UsageFailure   the command line was wrong: the usage is shown below the message
"""

from __future__ import annotations


class Failure(Exception):
    """Ends the program; an empty message prints nothing."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class UsageFailure(Failure):
    """A command line that cannot be understood. `hint` is Docker's first word of the last line."""

    def __init__(self, message: str, code: int = 1, *, hint: str = "Run", prefix: bool = False) -> None:
        super().__init__(message, code)
        self.hint = hint
        self.prefix = prefix
