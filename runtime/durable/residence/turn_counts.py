"""How much the turns of one kind on one node have done: totals since the node started, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.durable.turn.draft import Draft

__all__ = ["TurnCounts"]


@dataclass(slots=True)
class TurnCounts:
    """Of turns that have committed; what was begun and refused is not among them."""

    turns: int = 0
    messages: int = 0  # that were handled, timers among them
    failed: int = 0  # turns that put a message off, or parked it
    came_to: dict[str, int] = field(default_factory=dict)  # by status: sagas that it is the status of since a turn

    def add(self, draft: Draft) -> None:
        self.turns += 1
        self.messages += len(draft.consumed)
        self.failed += draft.failed
        row, before = draft.row_after, draft.row
        if row is not None and row.summary is not None:
            status = row.summary.status
            if before is None or before.summary is None or before.summary.status != status:
                self.came_to[status] = self.came_to.get(status, 0) + 1
