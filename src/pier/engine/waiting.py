"""Waiting for a container: the answer's head goes out at once, its body when the condition holds."""

from typing import Any

from pier.engine.container import Condition, Container, Outcome
from pier.spec.errors import InvalidParameter

_CONDITIONS: dict[str, Condition] = {
    "": "not-running",
    "not-running": "not-running",
    "next-exit": "next-exit",
    "removed": "removed",
}


def parse_condition(text: str) -> Condition:
    """A condition by its word; `InvalidParameter` in Docker's words."""
    if text not in _CONDITIONS:
        raise InvalidParameter(f'invalid condition: "{text}"')
    return _CONDITIONS[text]


async def wait(container: Container, condition: Condition) -> dict[str, Any]:
    """The answer in Docker's JSON, once the condition holds."""
    return answer(await container.wait_for(condition))


def answer(outcome: Outcome) -> dict[str, Any]:
    """An outcome in Docker's JSON; an error only where there is one."""
    body: dict[str, Any] = {"StatusCode": outcome.code}
    if outcome.error:
        body["Error"] = {"Message": outcome.error}
    return body
