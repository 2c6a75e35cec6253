"""Mutants of retries: a message is tried again, put off, or given up."""

from __future__ import annotations

from runtime.durable.residence.admission import Throttle
from runtime.durable.residence.backlog import BacklogReader
from runtime.durable.residence.release import Release
from runtime.durable.residence.residents import Residents
from runtime.durable.turn import unhandled
from runtime.durable.turn.turn import Turn
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["RETRIES"]

RETRIES = (
    Mutant(
        "attempts-forgotten",
        "A message that is read from the store again counts as never tried: its retries have no end.",
        (Edit(Residents._enqueue, "if attempts:", "if False:"),),
        workload="random",
    ),
    Mutant(
        "poison-blocks-its-senders",
        "The messages after a parked message wait until somebody has dealt with the dead letter.",
        (
            Edit(
                unhandled.give_up,
                "draft.reschedule(parked)",
                "draft.reschedule(parked)\n        draft.blocked_until_s = draft.now_s + 1e6",
            ),
            Edit(BacklogReader._hold, "min(max(0.0, delay_s), _LOOK_S)", "max(0.0, delay_s)"),
        ),
        workload="random",
    ),
    Mutant(
        "poison-blocks-all-reading",
        "The mail of an actor with a dead letter is never read from the store again.",
        (
            Edit(
                BacklogReader._read,
                "live = [row for row in rows if not row.parked]",
                "live = [] if any(row.parked for row in rows) else rows",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "parked-runs-all-the-same",
        "A late copy of a push runs a parked message, although its sender was told that it failed.",
        (
            Edit(MemoryStore._verdict, "if any(waiting[key, id].parked for id in to_run):", "if False:"),
            Edit(BacklogReader._read, "if not row.parked", "if True"),
        ),
        workload="random",
    ),
    Mutant(
        "faults-not-told",
        "The sender of a command that was given up on is not told.",
        (Edit(unhandled.give_up, "sends.fault(error, attempts)", "pass"),),
        workload="random",
    ),
    Mutant(
        "last-retry-skipped",
        "A message is parked one run too early, since its handler's error counts as final.",
        (Edit(Turn._runs_again, "failed >= policy.runs_max", "failed >= policy.immediate + 1"),),
        workload="random",
    ),
    Mutant(
        "throttle-never-recovers",
        "A kind that has failed often, but not in a row, is slowed down and never tried again.",
        (
            Edit(Throttle.succeeded, "self._failures = 0", "pass"),
            Edit(Throttle.admits, "self._next_trial_at_s = now_s + self._pause_s\n    return True", "return False"),
        ),
        workload="random",
    ),
    Mutant(
        "delay-ignored-after-retry",
        "While a message waits for its retry, the actor takes messages that were sent after it.",
        (
            Edit(Turn._take_some, "if draft.blocked_until_s and not envelope.undo_of:", "if False:"),
            Edit(Release.__call__, "if draft.blocked_until_s:", "if False:"),
        ),
        workload="random",
    ),
)
