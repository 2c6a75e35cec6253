"""The do/undo guard: an undo runs only if its do may have run, and a do that was undone can never run late.

Both go to the same actor, and the undo carries the id of its do. What the store knows of that do decides:

    handled, with an effect        the undo's handler runs
    handled, but refused           nothing to undo
    waits, for its due time        both are consumed: neither runs
    waits otherwise                the do is given up on, the undo's handler runs: it may have run, at least in part
    was given up on                the undo's handler runs, and is told that the state has nothing of the do
    unknown                        a tombstone refuses the do should it still come; nothing to undo
    unknown, older than retention  nobody can tell: the undo fails for good, so that a person looks

An undo that was given up on may be asked for again. The new one names those before it. If one of them was handled,
nothing is left to undo. Those that still wait, parked or not, are given up on for good. So only one of them ever runs.
An undo that was handled has settled nothing if it answered what does not confirm it ("not finished yet", or a type that
its step does not declare): the next one runs.

A do may have been asked for several times, each but the last being answered "not finished yet". Its undo names the last
and says that the do has begun: then the handler runs whatever became of the last, unless that was refused.

attempts == 0 does not prove that a do never ran. It may have run in a process that died, or lost its shard, or whose
commit failed, after the handler and before the count. Then the state has nothing of the do, and the world outside may.

Only an undo pays for this: no other message comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from runtime.durable.caused import came_of
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope, decode
from runtime.errors import FinalError
from runtime.failpoints import Failpoint
from runtime.protos.durable_pb2 import Undone
from runtime.store.port import TurnStore
from runtime.store.records import HistoryRow, MailRow, Outcome

__all__ = [
    "RUNS",
    "Earlier",
    "Finding",
    "Ruling",
    "find",
    "of_begun",
    "of_handled",
    "of_waiting",
    "refusal_in",
    "refuse_do",
    "rule",
    "rule_earlier",
    "ruled",
]


class Ruling(Enum):
    RUN = auto()  # the undo's handler runs
    NOTHING = auto()  # nothing to undo
    NEVER_RAN = auto()  # the do is not due yet: consume both
    GIVE_UP_DO = auto()  # the do waits, and may have run: consume it as faulted, and run the undo
    TOMBSTONE = auto()  # the do was never seen: remember that it must not run


_SETTLED = frozenset((Outcome.HANDLED, Outcome.UNDONE))
"""Outcomes of an undo after which nothing is left to undo."""

RUNS = frozenset((Ruling.RUN, Ruling.GIVE_UP_DO))
"""Rulings after which the undo's handler runs."""


@dataclass(frozen=True, slots=True)
class Finding:
    ruling: Ruling
    reason: str
    do: MailRow | None = None  # the waiting do, to be consumed in the same transition
    do_failed: bool = False  # each run of the do has failed: what it did to the state was taken back
    has_begun: bool = False  # an earlier command of the do has taken effect, whatever became of this one

    @property
    def runs(self) -> bool:
        """Whether the undo's handler does."""
        return self.has_begun or self.ruling in RUNS


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of the undos by which the same was asked for before."""

    done_by: bytes = b""  # the one that was handled, so that nothing is left to undo
    waiting: tuple[MailRow, ...] = ()  # to be consumed in the same transition


async def ruled(draft: Draft, undo: Envelope) -> Finding:
    """What becomes of an undo; one that needs no handler is answered here. Raises StoreError and FinalError."""
    draft.kind.ports.failpoint(Failpoint.UNDO_ASKED)
    finding = of_begun(await find(draft, undo), undo)
    draft.kind.ports.failpoint(Failpoint.UNDO_RULED)
    if finding.ruling is Ruling.RUN:
        return finding
    refuse_do(draft, undo, finding)
    if finding.runs:
        return finding
    sends = Sends(draft, undo)
    sends.tell(Undone(command=undo.id, undo_of=undo.undo_of, reason=finding.reason))
    sends.close(Outcome.UNDONE, 0, finding.reason)
    return finding


async def find(draft: Draft, undo: Envelope) -> Finding:
    """What is known of the do. What this very turn has made of it counts before what the store says."""
    kind = draft.kind
    if undo.earlier_undos:
        earlier = await rule_earlier(kind.store, undo, draft.shard, draft.history)
        _supersede(draft, undo, earlier)
        if earlier.done_by:
            return Finding(Ruling.NOTHING, f"already undone by {earlier.done_by.hex()}")
    for done in draft.history:
        if done.id == undo.undo_of:
            return of_handled(done, undo)
    for row in draft.rescheduled:
        if row.id == undo.undo_of:
            return of_waiting(row, draft.now_s)
    return await rule(kind.store, undo, draft.shard, now_s=draft.now_s, retention_s=kind.limits.retention_s)


def of_begun(finding: Finding, undo: Envelope) -> Finding:
    """The same of the do that the undo names, where one before it has been answered as begun."""
    if not undo.begun or finding.ruling is Ruling.NOTHING:
        return finding
    return replace(finding, do_failed=False, has_begun=True)


def refuse_do(draft: Draft, undo: Envelope, finding: Finding) -> None:
    """Write the history of a do that will never run (again), which refuses every copy that may still come."""
    draft.never_to_run[undo.undo_of] = draft.address
    if finding.do is not None:
        do, attempts, why = decode(finding.do.envelope), finding.do.attempts, f"undone by {undo.id.hex()}"
        if finding.ruling is Ruling.GIVE_UP_DO:
            draft.give_up(do, attempts=attempts, error=why)
        else:
            draft.note(do, Outcome.UNDONE, attempts=attempts, error=why)
        draft.unschedule(do.id)
    elif finding.ruling is Ruling.TOMBSTONE:
        draft.tombstone(undo, undo.undo_of, f"undone by {undo.id.hex()} before it came")


def _supersede(draft: Draft, undo: Envelope, earlier: Earlier) -> None:
    """Give up those that still ask for the same: there is one letter for one debt, which is never paid twice."""
    attempts = {row.id: row.attempts for row in draft.rescheduled}
    for row in earlier.waiting:
        draft.never_to_run[row.id] = draft.address
        error = f"asked for again by {undo.id.hex()}"
        draft.give_up(decode(row.envelope), attempts=attempts.get(row.id, row.attempts), error=error)
        draft.unschedule(row.id)


async def rule_earlier(store: TurnStore, undo: Envelope, shard: int, of_turn: Sequence[HistoryRow]) -> Earlier:
    """Look for the earlier undos that this one names, in the history of its very turn and in the store."""
    ids = undo.earlier_undos
    known = {row.id: row for row in await store.handled([(undo.conversation, id) for id in ids]) if row is not None}
    known |= {row.id: row for row in of_turn}
    done_by = next((id for id in ids if id in known and _has_settled(known[id], undo)), b"")
    rows = [await store.mail_of(undo.address, shard, id) for id in ids if id not in known]
    return Earlier(done_by, tuple(row for row in rows if row is not None))


def _has_settled(row: HistoryRow, undo: Envelope) -> bool:
    """Whether an undo left nothing to undo. One that was handled has said so by an answer, if it gave any."""
    if row.outcome is Outcome.HANDLED and undo.undones:
        told = _told(row, undo)
        return not told or any(type in undo.undones for type in told)
    return row.outcome in _SETTLED


async def rule(store: TurnStore, undo: Envelope, shard: int, *, now_s: float, retention_s: float) -> Finding:
    """What to do about an undo. Raises FinalError when the do is too old to be known."""
    (handled,) = await store.handled([(undo.conversation, undo.undo_of)])
    if handled is not None:
        return of_handled(handled, undo)
    row = await store.mail_of(undo.address, shard, undo.undo_of)
    if row is not None:
        return of_waiting(row, now_s)
    sent_at_s = int.from_bytes(undo.undo_of[:6], "big") / 1000
    if sent_at_s < now_s - retention_s:
        raise FinalError(
            f"the command {undo.undo_of.hex()} that this undoes is older than the retention of {retention_s:.0f} s: "
            "whether it ran is no longer known; look at the actor's state and settle it by hand"
        )
    return Finding(Ruling.TOMBSTONE, "its command never came")


def of_handled(row: HistoryRow, undo: Envelope) -> Finding:
    """What to do when the do is in the history, in the store's or in that of the very same turn."""
    if row.outcome is Outcome.UNDONE and not undo.begun:
        return Finding(Ruling.NOTHING, "already undone, or never ran")
    if undo.refusals and row.outcome is Outcome.HANDLED:
        refusal = refusal_in(row, undo)
        if refusal:
            return Finding(Ruling.NOTHING, f"its command was refused with {refusal}")
    return Finding(Ruling.RUN, "", do_failed=row.outcome is Outcome.FAULTED)


def refusal_in(row: HistoryRow, undo: Envelope) -> str:
    """The answer by which a do refused its sender; empty if it gave none, or said beside it that it is done.

    Only what went back to who asks counts: what its handler told others is no answer to the do.
    """
    told = _told(row, undo)
    if any(type in undo.dones for type in told):
        return ""
    return next((type for type in told if type in undo.refusals), "")


def _told(row: HistoryRow, undo: Envelope) -> list[str]:
    """Types of what the handling of this message told who asks."""
    caused = came_of(row).caused
    return [one.type for one in caused if not undo.reply_to or one.address in ("", undo.reply_to)]


def of_waiting(row: MailRow, now_s: float) -> Finding:
    """What to do when the do waits, as it was before this turn or as this turn has left it."""
    if row.attempts == 0 and not row.parked and row.due_at_s > now_s:
        return Finding(Ruling.NEVER_RAN, "its command was not due yet", row)
    return Finding(Ruling.GIVE_UP_DO, "its command had failed, or may have run and been lost", row, do_failed=True)
