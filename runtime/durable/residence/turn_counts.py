"""How much the turns of one kind on one node have done: totals since the node started, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.distribution import Distribution
from runtime.durable.turn.draft import Draft

__all__ = ["TurnCounts"]

_TURN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_PROCESS_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0)


@dataclass(slots=True)
class TurnCounts:
    """Of turns that have committed; what was begun and refused is not among them."""

    turns: int = 0
    messages: int = 0  # that were handled, timers among them
    failed: int = 0  # turns that put a message off, or parked it
    turn_s: Distribution = field(default_factory=lambda: Distribution(_TURN_S))  # handlers and the commit
    came_to: dict[str, int] = field(default_factory=dict)  # by status: sagas that it is the status of since a turn
    rested_s: dict[str, Distribution] = field(default_factory=dict)  # by status at rest: sagas, from their start
    steps: dict[tuple[str, str], int] = field(default_factory=dict)  # by name and outcome
    undos: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, draft: Draft, now_s: float) -> None:
        """`now_s` is by the monotonic clock: the turn has committed."""
        self.turns += 1
        self.messages += len(draft.history)
        self.failed += draft.failed
        self.turn_s.add(now_s - draft.begun_s)
        for one in draft.outcomes:
            counts, name = self.undos if one.is_undo else self.steps, (one.step, one.outcome)
            counts[name] = counts.get(name, 0) + 1
        row, before = draft.row_after, draft.row
        if row is not None and row.summary is not None:
            status = row.summary.status
            if before is None or before.summary is None or before.summary.status != status:
                self.came_to[status] = self.came_to.get(status, 0) + 1
                if draft.ended:
                    self._rested(status, draft.now_s - row.summary.started_at_s)

    def _rested(self, status: str, took_s: float) -> None:
        if status not in self.rested_s:
            self.rested_s[status] = Distribution(_PROCESS_S)
        self.rested_s[status].add(took_s)
