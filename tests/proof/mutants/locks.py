"""Mutants of locks: who holds a key, who is next, when it is free, and which deadlocks are found."""

from __future__ import annotations

from runtime.saga import deadlock, lock_actor
from runtime.saga.nodes import locks
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["LOCKS"]

_TURN = lock_actor._Turn  # Its methods are what a lock does with one message.

LOCKS = (
    Mutant(
        "lock-held-by-two",
        "A saga that asks for a key which another holds is given it at once.",
        (Edit(_TURN.hand_over, "if not record.holders and record.waiters:", "if record.waiters:"),),
        workload="locked",
    ),
    Mutant(
        "lock-last-come-first",
        "A key that is free goes to who asked last.",
        (Edit(_TURN.hand_over, "record.waiters.pop(0)", "record.waiters.pop()"),),
        workload="locked",
    ),
    Mutant(
        "lock-kept-at-the-end",
        "A saga that ends keeps its locks.",
        (Edit(locks.let_go, 'if task.HasField("lock") and not is_released:', "if False:"),),
        workload="locked",
    ),
    Mutant(
        "lock-queue-not-left",
        "A saga that turns back while it waits for a lock stays in the queue.",
        (Edit(_TURN.release, "(self._record.holders, self._record.waiters)", "(self._record.holders,)"),),
        workload="locked",
    ),
    Mutant(
        "lock-lost-too-soon",
        "A lock that may expire is lost as soon as another asks for it.",
        (Edit(_TURN.hand_over, "0 < held_until_s(record) <= self._now_s", "0 < held_until_s(record)"),),
        workload="locked",
    ),
    Mutant(
        "first-hold-decides",
        "A saga that holds a key twice loses it once the first of its holds is over.",
        (Edit(lock_actor.held_until_s, "max(times_s)", "min(times_s)"),),
        workload="locked",
    ),
    Mutant(
        "deadlock-search-stops",
        "A saga that waits for a lock does not pass on that others wait for it.",
        (Edit(deadlock.searched, "for wait in waits:", "for wait in waits[:0]:"),),
        workload="locked",
    ),
    Mutant(
        "next-holder-not-searched",
        "When a lock gets another holder, nobody looks whether that one waits for those in the queue.",
        (Edit(_TURN.hand_over, "self._searches = list(record.waiters)", "pass"),),
        workload="locked",
    ),
)
