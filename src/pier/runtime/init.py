"""The child's stage: walk the prepared plan to its end, which is execve. Nothing is imported, nothing decided here."""

from pier.runtime.plan import InitPlan
from pier.runtime.steps import Failure, Stage, walk


def become(plan: InitPlan, stage: Stage) -> None:
    """Walk the plan; returns only by Failure, whose message says which part failed, as runc does."""
    walk(plan.before, stage)
    try:
        walk(plan.setup, stage)
    except Failure as failure:
        raise Failure(f"error during container init: {failure.message}") from failure
    walk(plan.finish, stage)
