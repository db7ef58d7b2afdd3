"""Health checks: their settings, and what answers make of a container."""

import pytest

from pier.engine.health import Check, Health, Result, after, check_of, health_json, wait_of
from pier.spec.containers import ContainerConfig, HealthConfig

SECOND = 1_000_000_000
CHECK = Check(("true",), 30 * SECOND, 30 * SECOND, 10 * SECOND, 5 * SECOND, 3)


def result(code: int, at: int = 100 * SECOND) -> Result:
    return Result(at, at + SECOND, code, "said")


@pytest.mark.parametrize("config", [None, HealthConfig(), HealthConfig(Test=["NONE"]), HealthConfig(Test=[])])
def test_a_container_may_have_no_check(config: HealthConfig | None) -> None:
    assert check_of(ContainerConfig(Healthcheck=config)) is None


def test_commands_and_defaults() -> None:
    check = check_of(ContainerConfig(Healthcheck=HealthConfig(Test=["CMD-SHELL", "a b"]), Shell=["/bin/bash", "-c"]))
    assert check is not None
    assert check.command == ("/bin/bash", "-c", "a b")
    assert (check.interval, check.timeout, check.retries) == (30 * SECOND, 30 * SECOND, 3)
    check = check_of(ContainerConfig(Healthcheck=HealthConfig(Test=["CMD", "a", "b"], Interval=SECOND, Retries=1)))
    assert check is not None
    assert (check.command, check.interval, check.retries) == (("a", "b"), SECOND, 1)


def test_a_success_makes_healthy_and_three_failures_unhealthy() -> None:
    health = after(Health(), result(0), CHECK, 0)
    assert (health.status, health.failing_streak) == ("healthy", 0)
    for streak, status in ((1, "healthy"), (2, "healthy"), (3, "unhealthy"), (4, "unhealthy")):
        health = after(health, result(1), CHECK, 0)
        assert (health.failing_streak, health.status) == (streak, status)
    assert after(health, result(0), CHECK, 0).status == "healthy"


def test_failures_in_the_start_period_do_not_count() -> None:
    health = after(Health(), result(1, at=5 * SECOND), CHECK, 0)
    assert (health.status, health.failing_streak, len(health.log)) == ("starting", 0, 1)
    assert wait_of(health, CHECK, 5 * SECOND, 0) == 5 * SECOND
    assert wait_of(health, CHECK, 15 * SECOND, 0) == 30 * SECOND
    assert after(health, result(1, at=15 * SECOND), CHECK, 0).failing_streak == 1


def test_five_results_are_kept_and_shown() -> None:
    health = Health()
    for number in range(7):
        health = after(health, result(number), CHECK, 0)
    shown = health_json(health)
    assert isinstance(shown["Log"], list)
    assert [entry["ExitCode"] for entry in shown["Log"]] == [2, 3, 4, 5, 6]
