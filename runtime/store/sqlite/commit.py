"""Writes a batch of transitions inside a transaction that someone else begins and ends.

CommitPlan.of(batch)          on the event loop, before any lock is held: rows flattened into parameters
write(connection, plan) on the writer's thread: all at once, in a few statements
  └─ a count is off ──▶ undone, and the batch is halved until each culprit stands alone with its own verdict
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import apsw

from runtime.store.columns import ACTORS, HISTORY, MAIL
from runtime.store.records import HistoryRow, MailRow, Transition, Verdict
from runtime.store.sqlite.queries import named_queries
from runtime.store.sqlite.rows import history_row
from runtime.store.sqlite.statements import (
    CONSUME_MAIL,
    DELETE_MAIL,
    INSERT_ACTORS,
    INSERT_HISTORY,
    INSERT_MAIL,
    LOAD_ACTORS,
    RESCHEDULE_MAIL,
    UPDATE_ACTORS,
)

__all__ = ["CommitPlan", "encodable", "is_there", "write"]

_Slot = tuple[str, int, str, bytes]  # Where a message waits: kind, shard, key, id.


@dataclass(slots=True)
class CommitPlan:
    """A batch as parameters of statements, each list flat.

    `apart` says that no two transitions touch the same rows. Then all of them at once leave the same rows as one after
    the other would. Nearly all batches are so, since the next turn of an actor begins after the commit of the last.
    """

    batch: Sequence[Transition]
    apart: bool = True
    checks_duplicates: bool = False
    consumed: list[object] = field(default_factory=list)
    given_up: list[object] = field(default_factory=list)
    rescheduled: list[object] = field(default_factory=list)
    history: list[object] = field(default_factory=list)
    inserted: list[object] = field(default_factory=list)
    updated: list[object] = field(default_factory=list)
    mail: list[object] = field(default_factory=list)
    footprint: _Footprint = field(default_factory=lambda: _Footprint())

    @classmethod
    def of(cls, batch: Sequence[Transition]) -> CommitPlan:
        plan = cls(batch)
        plan.add(batch)
        return plan

    def add(self, transitions: Sequence[Transition]) -> None:
        """Take in transitions of the batch. Those at its end may come later."""
        for transition in transitions:
            self._add(transition, self.footprint)
        self.apart = len(self.batch) == 1 or self.footprint.is_apart()

    def _add(self, transition: Transition, footprint: _Footprint) -> None:
        actor, expected = transition.actor, transition.expected
        if actor is not None and expected is not None:
            footprint.actors.append(actor.address)
            if expected.revision or expected.last_id:
                self.updated += ACTORS.values(actor)
                self.updated += (expected.revision, expected.last_id)
            else:
                self.inserted += ACTORS.values(actor)
        if transition.consumed or transition.given_up or transition.rescheduled:
            self._add_waiting(transition, footprint)
        for done in transition.history:
            self.history += HISTORY.values(done)
            footprint.handled.append((done.conversation, done.id))
        for row in transition.mail:
            slot = (row.kind, row.shard, row.key, row.id)
            if slot in footprint.posted:
                footprint.repeated = True
                if len(self.batch) == 1:
                    continue  # A message that is posted twice in one transition waits once.
            footprint.posted[slot] = row
            if not row.sequence:
                footprint.posted_ids.add(row.id)
            self.mail += MAIL.values(row)
        self.checks_duplicates |= transition.check_duplicates

    def _add_waiting(self, transition: Transition, footprint: _Footprint) -> None:
        (kind, shard), key = transition.slice, transition.key
        for id in transition.consumed:
            self.consumed += (kind, shard, key, id)
            footprint.removed.append((kind, shard, key, id))
        for id in transition.given_up:
            self.given_up += (kind, shard, key, id)
            footprint.removed.append((kind, shard, key, id))
        is_turn = transition.actor is not None
        for row in transition.rescheduled:
            self.rescheduled += (row.due_at_s, row.attempts, row.parked, row.parked_at_s)
            self.rescheduled += (kind, shard, key, row.id, is_turn)


@dataclass(slots=True)
class _Footprint:
    """What the transitions of one batch touch; kept only while a plan is made."""

    actors: list[tuple[str, str]] = field(default_factory=list)
    removed: list[_Slot] = field(default_factory=list)
    handled: list[tuple[bytes, bytes]] = field(default_factory=list)
    posted: dict[_Slot, MailRow] = field(default_factory=dict)
    posted_ids: set[bytes] = field(
        default_factory=set
    )  # Ids that clients have given: each waits for one actor at a time.
    repeated: bool = False

    def is_apart(self) -> bool:
        if self.repeated or len(set(self.actors)) < len(self.actors):
            return False
        if not self.posted:
            return True
        if not self.posted.keys().isdisjoint(self.removed):
            return False
        if self.posted_ids and not self.posted_ids.isdisjoint([id for _, _, _, id in self.removed]):
            return False
        handled = set(self.handled)
        return not any((row.conversation, row.id) in handled for row in self.posted.values())


def write(connection: apsw.Connection, plan: CommitPlan) -> list[Verdict]:
    """Write what can be written; one verdict per transition. Needs a transaction just begun, and leaves it open.

    First without any savepoint, since one makes SQLite keep a copy of every page that is touched, in a file of its
    own. If not everything is as expected, that try is rolled back, and the batch is written anew in parts.
    """
    if len(plan.batch) == 1 or plan.apart:
        verdict = _verdict(connection, plan)
        if verdict is Verdict.COMMITTED:
            return [Verdict.COMMITTED] * len(plan.batch)
        connection.execute("rollback")
        connection.execute("begin immediate")
        if len(plan.batch) == 1:
            return [verdict]
    return _write_halves(connection, plan)


def _write_halves(connection: apsw.Connection, plan: CommitPlan) -> list[Verdict]:
    middle = len(plan.batch) // 2
    first, second = plan.batch[:middle], plan.batch[middle:]
    return [*_write_part(connection, CommitPlan.of(first)), *_write_part(connection, CommitPlan.of(second))]


def _write_part(connection: apsw.Connection, plan: CommitPlan) -> list[Verdict]:
    """Part of a batch, under savepoints: what must not be written is taken back without its neighbours."""
    if len(plan.batch) == 1:
        return [_write_alone(connection, plan)]
    if plan.apart:
        connection.execute("savepoint many")
        written = _verdict(connection, plan) is Verdict.COMMITTED
        connection.execute("release many" if written else "rollback to many")
        if written:
            return [Verdict.COMMITTED] * len(plan.batch)
        connection.execute("release many")
    return _write_halves(connection, plan)


def _write_alone(connection: apsw.Connection, plan: CommitPlan) -> Verdict:
    connection.execute("savepoint one")
    verdict = _verdict(connection, plan)
    if verdict is not Verdict.COMMITTED:
        connection.execute("rollback to one")
    connection.execute("release one")
    return verdict


def _verdict(connection: apsw.Connection, plan: CommitPlan) -> Verdict:
    """Write everything; COMMITTED if all of it was as expected. For one transition it says what was not."""
    if not (UPDATE_ACTORS.run(connection, plan.updated) and INSERT_ACTORS.run(connection, plan.inserted)):
        return Verdict.CONFLICT
    if not (CONSUME_MAIL.run(connection, plan.consumed) and DELETE_MAIL.run(connection, plan.given_up)):
        return Verdict.MAIL_MISSING
    if not RESCHEDULE_MAIL.run(connection, plan.rescheduled):
        return Verdict.MAIL_MISSING
    if not INSERT_HISTORY.run(connection, plan.history):
        return Verdict.MAIL_MISSING
    # Mail that is passed over is as it should be, unless a post wants to know.
    if not INSERT_MAIL.run(connection, plan.mail) and plan.checks_duplicates:
        return Verdict.DUPLICATE
    return Verdict.COMMITTED


def encodable(transition: Transition) -> Transition:
    """The same transition with free text that UTF-8 can express. Lone surrogates are spelt out, as in `\\udc80`."""
    return replace(
        transition,
        history=tuple(replace(row, error=_spelt_out(row.error)) for row in transition.history),
        mail=tuple(replace(row, parked=_spelt_out(row.parked)) for row in transition.mail),
        rescheduled=tuple(replace(row, parked=_spelt_out(row.parked)) for row in transition.rescheduled),
    )


def _spelt_out(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def is_there(connection: apsw.Connection, transition: Transition) -> bool:
    """Whether a transition of unknown outcome was written; by its history, else its mail, else what it left behind."""
    if transition.history:
        return all(_is_written(connection, row) for row in transition.history)
    if transition.mail:
        return all(_is_known(connection, row) for row in transition.mail)
    if transition.actor is not None:
        return LOAD_ACTORS.read(connection, [transition.actor.address]) == [ACTORS.values(transition.actor)]
    (kind, shard), key = transition.slice, transition.key
    removed = (*transition.consumed, *transition.given_up)
    if any(_waiting(connection, (kind, shard, key, id)) is not None for id in removed):
        return False
    return all(
        _waiting(connection, (kind, shard, key, row.id)) == (row.due_at_s, row.attempts, row.parked)
        for row in transition.rescheduled
    )


def _is_written(connection: apsw.Connection, row: HistoryRow) -> bool:
    columns = connection.execute(named_queries()["handled"], (row.conversation, row.id)).fetchone()
    if columns is None:
        return False
    found = history_row(*columns)
    return (found.revision, found.handled_at_s, found.node) == (row.revision, row.handled_at_s, row.node)


def _is_known(connection: apsw.Connection, row: MailRow) -> bool:
    if _waiting(connection, (row.kind, row.shard, row.key, row.id)) is not None:
        return True
    return connection.execute(named_queries()["handled"], (row.conversation, row.id)).fetchone() is not None


def _waiting(connection: apsw.Connection, slot: _Slot) -> tuple[object, ...] | None:
    row: tuple[object, ...] | None = connection.execute(named_queries()["find_mail"], slot).fetchone()
    return row
