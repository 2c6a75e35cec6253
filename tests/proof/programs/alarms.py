"""Named timers of an actor, and its own account of them, which is kept in the same state and commit.

    _set, _cancel ──▶ the runtime's timer, and an Alarm with a serial of its own
    _rung ──────────▶ an Alarm of this serial must exist, and be due

At rest no alarm may exist: each has rung, was cancelled, or was moved, unless its handler failed for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.proof.programs import programs_pb2 as pb

__all__ = ["Alarmed"]


class Alarmed:
    """A mixin for services whose state has alarms."""

    state: Any
    now_s: float
    message_id: bytes
    set_timer: Callable[..., None]
    cancel_timer: Callable[[str], None]

    def _set(self, name: str, delay_s: float, deed: str, *, work: bool = False) -> None:
        state = self.state
        if self._forget(name):
            state.alarms_moved += 1
        state.alarms_set += 1
        state.alarms.add(name=name, serial=state.alarms_set, due_at_s=self.now_s + delay_s, deed=deed)
        self.set_timer(name, delay_s, pb.Ring(name=name, serial=state.alarms_set, deed=deed, work=work))

    def _cancel(self, name: str) -> None:
        if self._forget(name):
            self.state.alarms_cancelled += 1
        self.cancel_timer(name)

    def _rung(self, ring: pb.Ring) -> None:
        for index, alarm in enumerate(self.state.alarms):
            if (alarm.name, alarm.serial) == (ring.name, ring.serial):
                self.state.early_s = max(self.state.early_s, alarm.due_at_s - self.now_s)
                self.state.alarms_rung += 1
                del self.state.alarms[index]
                return
        self._wrong(f"{ring.name} of {ring.deed} rang as number {ring.serial}, which does not stand")

    def _wrong(self, what: str) -> None:
        self.state.wrong.append(what)

    def _forget(self, name: str) -> bool:
        for index, alarm in enumerate(self.state.alarms):
            if alarm.name == name:
                del self.state.alarms[index]
                return True
        return False
