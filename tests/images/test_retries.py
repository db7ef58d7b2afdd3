"""Pauses between attempts, and how they are told."""

import pytest

from pier.images.retries import pause_after, told
from pier.registry.failures import Busy
from pier.spec.errors import Unavailable


def busy(after: float) -> Busy:
    """A registry that asks for patience."""
    error = Busy("busy")
    error.after = after
    return error


def test_pauses_grow_to_the_last() -> None:
    assert [pause_after(attempt, Unavailable("gone")) for attempt in (1, 2, 3, 4, 9)] == [0.2, 1.0, 2.0, 5.0, 5.0]


@pytest.mark.parametrize(("asked", "pause"), [(0.0, 1.0), (0.5, 1.0), (7.0, 7.0), (86400.0, 30.0)])
def test_a_registry_is_given_what_it_asks_for_within_reason(asked: float, pause: float) -> None:
    assert pause_after(2, busy(asked)) == pause


def test_a_pause_is_told_as_docker_tells_it() -> None:
    assert [told(pause) for pause in (0.2, 1.0, 5.0)] == [
        "Retrying in 1 second",
        "Retrying in 1 second",
        "Retrying in 5 seconds",
    ]
