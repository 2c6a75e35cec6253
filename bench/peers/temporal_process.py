"""The order process as a workflow of Temporal, with the compensations of a saga in reverse.

    place ─▶ bill ─▶ label ─▶ mark ready      each an activity; on a refusal: void, refund, cancel

Activities are called by name, so that the sandbox in which workflows run loads nothing of the services.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from bench.peers.customer import DeskOrder

__all__ = ["QUEUE", "TemporalOrderProcess"]

QUEUE = "orders"

_STEPS = (("place", "cancel"), ("bill", "refund"), ("label", "void"))
"""What is done, and what undoes it. An undo is owed from when its step may have happened."""


@workflow.defn(name="order-process")
class TemporalOrderProcess:
    """Ends as `ready`, or as `cancelled` with everything undone."""

    @workflow.run
    async def run(self, order: DeskOrder) -> str:
        owed: list[str] = []
        try:
            for step, undo in _STEPS:
                owed.append(undo)
                await self._act(step, order)
            await self._act("mark_ready", order)
        except ActivityError:
            for undo in reversed(owed):
                await self._act(undo, order)
            return "cancelled"
        return "ready"

    async def _act(self, name: str, order: DeskOrder) -> None:
        await workflow.execute_activity(name, order, start_to_close_timeout=timedelta(seconds=30))
