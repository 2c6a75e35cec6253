"""An operator's act on a timer of a service: the runtime carries it out, and the author's class never sees it.

The timer keeps its message, its conversation and its process. The act is a message of the actor's mail as all others,
and its row of history says who did what, and why, or why it was refused.
"""

from __future__ import annotations

from runtime.durable.timer_acts import decide
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope
from runtime.protos.durable_pb2 import Timer
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.records import Outcome

__all__ = ["act_on_timer"]


def act_on_timer(draft: Draft, envelope: Envelope, act: RepairSaga) -> None:
    """Write into the draft what the act does. What this very turn has handled before it counts as a revision."""
    before = 0 if draft.row is None else draft.row.revision
    decided = decide(act, draft.timers, draft.revision if draft.history else before, draft.now_s)
    sends = Sends(draft, envelope)
    if decided.refusal:
        sends.close(Outcome.IGNORED, 1, decided.refusal)
        return
    if decided.due_at_s is None:
        draft.drop_timer(act.timer)
    else:
        moved = Timer()
        moved.CopyFrom(draft.timers[act.timer])
        moved.due_at_s, moved.set_by, moved.attempts = decided.due_at_s, envelope.id, 0
        moved.ClearField("first_id")
        draft.move_timer(moved)
    sends.close(Outcome.HANDLED, 1, decided.text)
