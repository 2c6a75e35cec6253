"""The order process as a workflow of Temporal, with the compensations of a saga in reverse.

    place ─▶ bill ─▶ label ─▶ mark ready      each an activity; on a refusal: void, refund, cancel

Activities are called by name, so that the sandbox in which workflows run loads nothing of the services.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from bench.peers.customer import DeskOrder

__all__ = ["PROCESSES", "QUEUE", "LocalOrderProcess", "TemporalOrderProcess"]

QUEUE = "orders"

_STEPS = (("place", "cancel"), ("bill", "refund"), ("label", "void"))
"""What is done, and what undoes it. An undo is owed from when its step may have happened."""
_ATTEMPT = timedelta(seconds=30)


@workflow.defn(name="order-process")
class TemporalOrderProcess:
    """Each act is an activity, which any worker may take. Ends as `ready`, or `cancelled` with everything undone."""

    @workflow.run
    async def run(self, order: DeskOrder) -> str:
        async def act(name: str) -> None:
            await workflow.execute_activity(name, order, start_to_close_timeout=_ATTEMPT)

        return await _carry_out(act)


@workflow.defn(name="local-order-process")
class LocalOrderProcess:
    """The same with local activities: the worker of the workflow carries them out, within one task of it."""

    @workflow.run
    async def run(self, order: DeskOrder) -> str:
        async def act(name: str) -> None:
            await workflow.execute_local_activity(name, order, start_to_close_timeout=_ATTEMPT)

        return await _carry_out(act)


async def _carry_out(act: Callable[[str], Awaitable[None]]) -> str:
    owed: list[str] = []
    try:
        for step, undo in _STEPS:
            owed.append(undo)
            await act(step)
        await act("mark_ready")
    except FailureError:  # of a local activity it is the failure itself, and no ActivityError around it
        for undo in reversed(owed):
            await act(undo)
        return "cancelled"
    return "ready"


PROCESSES = {"remote": "order-process", "local": "local-order-process"}
"""Names of the workflows, by where their activities run."""
