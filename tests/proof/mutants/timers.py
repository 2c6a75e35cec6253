"""Mutants of timers: they are set, moved, cancelled, fired, and found again after a restart."""

from __future__ import annotations

from runtime.durable.joining import Joining
from runtime.durable.region import timers
from runtime.durable.region.timers import DueTimers
from runtime.durable.turn import unhandled
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.durable.turn.timer_order import mail_comes_first, timer_stands
from runtime.durable.turn.turn import Turn
from runtime.saga.overdue import DeadlineBehaviour
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["TIMERS"]

TIMERS = (
    Mutant(
        "ended-conversation-joined",
        "A command from outside joins the conversation of a choreography that has ended.",
        (Edit(Joining._check_conversation, "if settled := readable_came_of(row).settled:", "if settled := ():"),),
        workload="deadlines",
    ),
    Mutant(
        "no-cas-on-timer",
        "A timer that was moved also fires at its former time, since only its name is compared.",
        (
            Edit(
                timer_stands,
                "timer is not None and timer_id(draft.address, timer) == envelope.id",
                "timer is not None",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "cancelled-timer-fires",
        "A timer that was cancelled after it was armed still fires.",
        (
            Edit(
                timer_stands,
                "return timer is not None and timer_id(draft.address, timer) == envelope.id",
                "return timer is None or timer_id(draft.address, timer) == envelope.id",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "timer-twice-after-jump",
        "A timer that fires after the clock has gone back is kept, and fires once more.",
        (
            Edit(
                Turn._accept,
                "draft.drop_timer(envelope.timer)",
                """late = self._kind.ports.clock.now_s() >= envelope.due_at_s
        if late:
            draft.drop_timer(envelope.timer)
        else:
            draft.timers[envelope.timer].set_by = envelope.id
            draft.move_timer(draft.timers[envelope.timer])""",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "timer-lost-at-restart",
        "No sweep looks for timers that were armed in a process that died.",
        (
            Edit(
                DueTimers.sweep,
                "rows = await self._kind.store.due(self._kind.name, shards, before_s=before_s, limit=reach)",
                "rows = []",
            ),
            Edit(DueTimers.arm, " and row.due_at_s <= soon_s", ""),
            Edit(DueTimers.arm, "if timer.due_at_s <= soon_s:", "if True:"),
        ),
        workload="random",
    ),
    Mutant(
        "timer-too-early",
        "A timer that a sweep finds shortly before its due time fires at once.",
        (
            Edit(DueTimers._arm, "max(0.0, left_s) + _LATE_S", "0.0"),
            Edit(DueTimers._fire, "self._clock.now_s() >= envelope.due_at_s", "True"),
        ),
        workload="random",
    ),
    Mutant(
        "due-time-not-moved",
        "The due time in the actor's row stays as it was when the timers change.",
        (
            Edit(
                Draft._row_after,
                "due_at_s = min([timer.due_at_s for timer in self.timers.values()])",
                "due_at_s = before.due_at_s if before is not None else None",
            ),
            Edit(
                Draft._row_after,
                'timers, due_at_s = b"", None',
                'timers, due_at_s = b"", before.due_at_s if before is not None else None',
            ),
        ),
    ),
    Mutant(
        "last-timer-only",
        "The due time in the actor's row is that of the latest timer, and not of the earliest.",
        (Edit(Draft._row_after, "due_at_s = min(", "due_at_s = max("),),
        workload="random",
    ),
    Mutant(
        "armed-once-for-all",
        "A timer that was armed but could not fire, since the clock had gone back, is not armed again.",
        (Edit(DueTimers._fire, "self._armed.pop(envelope.id, None)", "pass"),),
        workload="random",
    ),
    Mutant(
        "cancel-ignored",
        "Cancelling a timer does nothing.",
        (Edit(Sends.change_timers, "draft.drop_timer(change.name)", "pass"),),
    ),
    Mutant(
        "timers-of-failed-turns",
        "No retry is set for a timer: when its handler fails, the timer is gone.",
        (Edit(unhandled.retry_timer, "draft.move_timer(timer)", "draft.drop_timer(timer.name)"),),
        workload="random",
    ),
    Mutant(
        "timer-set-by-reruns",
        "A timer that is set again keeps its former time.",
        (
            Edit(
                Sends.change_timers,
                "else:",
                "elif change.name not in draft.timers:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "timer-in-another-conversation",
        "A timer fires in the conversation that made its actor, and not in that in which it was set.",
        (Edit(timers._fired, "timer.conversation or row.conversation", "row.conversation"),),
        workload="random",
    ),
    Mutant(
        "timer-outside-its-process",
        "A timer forgets the process in which it was set, and what its handler says reaches nobody in it.",
        (Edit(timers._fired, "process=timer.process", 'process=""'),),
        workload="deadlines",
    ),
    Mutant(
        "mail-does-not-come-first",
        "The deadline of a conversation fires while the event that settles it waits in the mail.",
        (Edit(mail_comes_first, "not row.parked and row.id not in draft.consumed", "False"),),
        workload="deadlines",
    ),
    Mutant(
        "overtaken-start-is-watched",
        "An event that starts a conversation begins its time although what settles it has come before.",
        (Edit(DeadlineBehaviour._begin, "if record.status != DeadlineRecord.NONE:", "if False:"),),
        workload="deadlines",
    ),
)
