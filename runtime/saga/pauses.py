"""Participants that keep failing are paused: no new saga begins that needs one, and those that run wait for it.

    answers, faults, silences ──▶ Pauses (one for each node) ──▶ may a new saga begin? does this silence count?

A kind is paused once `pause_after` instances in a row have met a fault or a silence of it, and no answer. The undo of
what has faulted is often confirmed at once, since there is nothing to undo: that is no answer.
Its first answer ends the pause. While it lasts, one thing goes on each `TRIAL_S` seconds, to see whether it answers:
a new saga, or a command that is asked again. The time of a pause is no silence: a step's timeout begins anew when the
pause ends. So one dead service has at most `pause_after` sagas for each node turn back, and not all of them.

This is the memory of one node, and nothing rests on it for safety. A node that starts anew begins to count anew. It is
the circuit breaker of M. Nygard, "Release It!" (2007), for each kind of participant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = ["TRIAL_S", "ParticipantPaused", "ParticipantResumed", "Pauses"]

TRIAL_S = 10.0
"""How long at least lies between two trials of one paused kind."""


@dataclass(frozen=True, slots=True)
class ParticipantPaused(Fact):
    level: ClassVar[str] = "error"
    kind: str
    failures: int  # instances in a row
    error: str  # of the last


@dataclass(frozen=True, slots=True)
class ParticipantResumed(Fact):
    level: ClassVar[str] = "info"
    kind: str
    paused_s: float


@dataclass(slots=True)
class _Standing:
    failed: set[str]  # Keys of the instances that have met failures since its last answer; at most `pause_after`.
    paused_at_s: float = 0.0  # 0: it is not paused.
    tried_at_s: float = 0.0
    faults: bool = False  # Its last failure was a fault, and no silence.
    resumed_at_s: float = 0.0
    error: str = ""  # with which its pause began


class Pauses:
    """What one node has seen of each kind that its sagas ask. `after` 0: none is ever paused."""

    def __init__(self, after: int, report: Callable[[Fact], object]) -> None:
        self._after = after
        self._report = report
        self._participants: dict[str, _Standing] = {}
        self._needed_by: dict[str, list[str]] = {}  # participants: the sagas of this node that ask them
        self.on_change: Callable[[], object] | None = None  # called as a pause begins, is tried, or ends

    def need(self, saga: str, participants: Iterable[str]) -> None:
        """New instances of the saga wait while one of these is paused."""
        for kind in participants:
            self._needed_by.setdefault(kind, []).append(saga)

    def told(self) -> tuple[tuple[str, float, str, str], ...]:
        """Each pause: kind, since when, its last error, and the sagas whose new instances wait."""
        return tuple(
            (kind, one.paused_at_s, one.error, ", ".join(self._needed_by.get(kind, ())))
            for kind, one in sorted(self._participants.items())  # A thread of its own may read it.
            if one.paused_at_s
        )

    def failed(self, kind: str, instance: str, error: str, now_s: float, *, by_fault: bool = False) -> None:
        if not self._after:
            return
        one = self._participants.setdefault(kind, _Standing(set()))
        one.faults = by_fault
        if len(one.failed) < self._after:
            one.failed.add(instance)
        if len(one.failed) >= self._after and not one.paused_at_s:
            one.paused_at_s, one.tried_at_s, one.error = now_s, now_s, error
            self._report(ParticipantPaused(kind, len(one.failed), error))
            self._changed()

    def answered(self, kind: str, now_s: float) -> None:
        one = self._participants.get(kind)
        if one is None:
            return
        one.failed.clear()
        if one.paused_at_s:
            self._report(ParticipantResumed(kind, round(now_s - one.paused_at_s, 3)))
            one.paused_at_s, one.resumed_at_s = 0.0, now_s
            self._changed()

    def faults(self, kind: str) -> bool:
        """Whether it has answered nothing since it gave up a command."""
        one = self._participants.get(kind)
        return one is not None and one.faults and bool(one.failed)

    def paused(self, kinds: Iterable[str]) -> str:
        """The first of these kinds that is paused; empty when none is."""
        return next((kind for kind in kinds if self._is_paused(kind)), "")

    def resumed_at_s(self, kind: str) -> float:
        """When its last pause ended; 0 when it never had one."""
        one = self._participants.get(kind)
        return 0.0 if one is None else one.resumed_at_s

    def may_try(self, kind: str, now_s: float) -> bool:
        """Whether something that asks a paused kind may go on, as the one trial of this time."""
        one = self._participants[kind]
        if now_s < one.tried_at_s + TRIAL_S:
            return False
        one.tried_at_s = now_s
        self._changed()  # What is told of a pause counts for a while, and is told anew meanwhile.
        return True

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _is_paused(self, kind: str) -> bool:
        one = self._participants.get(kind)
        return one is not None and one.paused_at_s > 0
