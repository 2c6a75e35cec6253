"""A batch of transitions as rows for statements, and the way from one failed try to a verdict for each.

    CommitPlan.of(batch)   rows by the statement that writes them; whether all at once is as good as one after another
    Attempts(plan)         ──next──▶ a plan to write as a whole, or not at all
                           ◀──tell── COMMITTED, or what was not as expected
                           └─ a part that failed is halved until each culprit stands alone with its own verdict

Nothing here knows an engine. SQLite writes a part under a savepoint, in a few statements; a server gets it as one
statement that undoes itself. Both say by counts of changed rows whether everything was as expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TypeAlias

from runtime.store.columns import ACTORS, HISTORY, MAIL
from runtime.store.groups import TransitionGroup, Unit, transitions_of
from runtime.store.records import ActorRow, MailRow, Transition, Verdict

__all__ = [
    "COMMANDS",
    "HANDLED",
    "INSERTED_ACTORS",
    "POSTED",
    "REMOVED",
    "RESCHEDULED",
    "UPDATED_ACTORS",
    "Attempts",
    "CommitPlan",
    "Layout",
    "Slot",
    "encodable",
    "encodable_transition",
    "spelt_out",
]

Slot: TypeAlias = tuple[str, int, str, bytes]  # Where a message waits: kind, shard, key, id.


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands where in the flat list of one statement's rows, and in which order rows are locked.

    Two nodes may write the same rows at the same time, the old and the new owner of a shard say. If each statement
    goes through its rows in this order, neither waits for the other in a circle.
    """

    names: tuple[str, ...]
    order: tuple[str, ...]  # columns that tell any two rows apart

    @property
    def width(self) -> int:
        return len(self.names)

    def columns(self, values: Sequence[object]) -> list[tuple[object, ...]]:
        """The rows of a flat list as columns, for engines that take arrays; rows come in this layout's order."""
        rows = zip(*[iter(values)] * self.width, strict=True)
        ordered = sorted(rows, key=itemgetter(*(self.names.index(name) for name in self.order)))
        return list(zip(*ordered, strict=True)) if ordered else [()] * self.width


_SLOT = ("kind", "shard", "key", "id")

INSERTED_ACTORS = Layout(ACTORS.names, ("kind", "shard", "key"))
UPDATED_ACTORS = Layout((*ACTORS.names, "was_revision", "was_last_id"), ("kind", "shard", "key"))
REMOVED = Layout(_SLOT, _SLOT)
RESCHEDULED = Layout(("due_at_s", "attempts", "parked", "parked_at_s", *_SLOT, "is_turn"), _SLOT)
HANDLED = Layout(HISTORY.names, ("conversation", "id"))
POSTED = Layout(MAIL.names, _SLOT)
COMMANDS = Layout(("conversation", "id"), ("conversation", "id"))


@dataclass(slots=True)
class CommitPlan:
    """A batch as rows, each list flat; the layouts say what stands where.

    `apart` says that no two units touch the same rows; members of one group never do. Then all of them at once leave
    the same rows as one after the other would. Nearly all batches are so, since the next turn of an actor begins after
    the commit of the last.
    """

    batch: Sequence[Unit]
    apart: bool = True
    checks_duplicates: bool = False
    updated: list[object] = field(default_factory=list)  # UPDATED_ACTORS
    inserted: list[object] = field(default_factory=list)  # INSERTED_ACTORS
    consumed: list[object] = field(default_factory=list)  # REMOVED; none may be parked
    given_up: list[object] = field(default_factory=list)  # REMOVED
    rescheduled: list[object] = field(default_factory=list)  # RESCHEDULED; of a turn, none may be parked
    history: list[object] = field(default_factory=list)  # HANDLED
    mail: list[object] = field(default_factory=list)  # POSTED
    commands: list[object] = field(default_factory=list)  # COMMANDS; none may wait as mail
    _touched: _Touched = field(default_factory=lambda: _Touched())

    @classmethod
    def of(cls, batch: Sequence[Unit]) -> CommitPlan:
        plan = cls(batch)
        plan.add(batch)
        return plan

    def add(self, units: Sequence[Unit]) -> None:
        """Take in units of the batch. Those at its end may come later."""
        for unit in units:
            for command in unit.commands if isinstance(unit, TransitionGroup) else ():
                self.commands += (command.conversation, command.id)
                self._touched.command_ids.add(command.id)
        for transition in transitions_of(units):
            self._add(transition, self._touched)
        self.apart = len(self.batch) == 1 or not self._touched.overlaps()

    @property
    def sees_itself(self) -> bool:
        """Whether some rows touch others of the plan, as when one transition removes a message and posts it anew.

        Then the statements run one after another, each seeing what those before it did, in the order of the fields.
        Otherwise all may look at one snapshot.
        """
        return self._touched.overlaps()

    def halves(self) -> tuple[CommitPlan, CommitPlan]:
        middle = len(self.batch) // 2
        return CommitPlan.of(self.batch[:middle]), CommitPlan.of(self.batch[middle:])

    def _add(self, transition: Transition, touched: _Touched) -> None:
        actor, expected = transition.actor, transition.expected
        if actor is not None and expected is not None:
            touched.actors.append(actor.address)
            if expected.revision or expected.last_id:
                self.updated += ACTORS.values(actor)
                self.updated += (expected.revision, expected.last_id)
            else:
                self.inserted += ACTORS.values(actor)
        if transition.consumed or transition.given_up or transition.rescheduled:
            self._add_waiting(transition, touched)
        for done in transition.history:
            self.history += HISTORY.values(done)
            touched.handled.append((done.conversation, done.id))
        for row in transition.mail:
            slot = (row.kind, row.shard, row.key, row.id)
            if slot in touched.posted:
                if len(self.batch) == 1:
                    continue  # A message that is posted twice in one transition waits once.
                touched.repeated = True
            touched.posted[slot] = row
            if not row.sequence:
                touched.posted_ids.add(row.id)
            self.mail += MAIL.values(row)
        self.checks_duplicates |= transition.check_duplicates

    def _add_waiting(self, transition: Transition, touched: _Touched) -> None:
        (kind, shard), key = transition.slice, transition.key
        for id in transition.consumed:
            self.consumed += (kind, shard, key, id)
            touched.removed.append((kind, shard, key, id))
        for id in transition.given_up:
            self.given_up += (kind, shard, key, id)
            touched.removed.append((kind, shard, key, id))
        is_turn = transition.actor is not None
        for row in transition.rescheduled:
            self.rescheduled += (row.due_at_s, row.attempts, row.parked, row.parked_at_s)
            self.rescheduled += (kind, shard, key, row.id, is_turn)


@dataclass(slots=True)
class _Touched:
    """The rows that the transitions of one batch touch."""

    actors: list[tuple[str, str]] = field(default_factory=list)
    removed: list[Slot] = field(default_factory=list)
    handled: list[tuple[bytes, bytes]] = field(default_factory=list)
    posted: dict[Slot, MailRow] = field(default_factory=dict)
    posted_ids: set[bytes] = field(default_factory=set)  # Given by clients: each waits for one actor at a time.
    command_ids: set[bytes] = field(default_factory=set)  # Of groups.
    repeated: bool = False

    def overlaps(self) -> bool:
        """Whether any of these rows is touched by two. What fails a count by itself need not be found here."""
        if self.repeated or len(set(self.actors)) < len(self.actors):
            return True
        if self.command_ids and not self.command_ids.isdisjoint([id for _, _, _, id in self.removed]):
            return True
        if not self.posted:
            return False
        if not self.posted.keys().isdisjoint(self.removed):
            return True
        if self.posted_ids and not self.posted_ids.isdisjoint([id for _, _, _, id in self.removed]):
            return True
        handled = set(self.handled)
        return any((row.conversation, row.id) in handled for row in self.posted.values())


class Attempts:
    """What to try next, from the whole of a batch to single transitions and groups, in the order of the batch."""

    def __init__(self, plan: CommitPlan) -> None:
        self.verdicts: list[Verdict] = []  # One for each unit, once nothing is left to try.
        self._left = [plan]

    def next(self) -> CommitPlan | None:
        """Something to write as a whole or not at all, of transitions that are apart; None at the end.

        `tell` what came of it before the next is asked for.
        """
        while self._left and not self._left[-1].apart:
            self._halve(self._left.pop())
        return self._left[-1] if self._left else None

    def tell(self, verdict: Verdict) -> None:
        """What came of the last: COMMITTED, or what was not as expected, and then nothing of it was written.

        Of more than one unit, this says only that some of them cannot be written.
        """
        plan = self._left.pop()
        if verdict is not Verdict.COMMITTED and len(plan.batch) > 1:
            self._halve(plan)
        else:
            self.verdicts += [verdict] * len(plan.batch)

    def _halve(self, plan: CommitPlan) -> None:
        first, second = plan.halves()
        self._left += (second, first)


def encodable(unit: Unit) -> Unit:
    """The same unit with free text that every engine can keep: what it can't is spelt out, as in `\\udc80`.

    That are lone surrogates, which UTF-8 cannot express, and NUL, which PostgreSQL keeps in no text.
    """
    if isinstance(unit, TransitionGroup):
        return TransitionGroup(tuple(encodable_transition(one) for one in unit.members), unit.commands)
    return encodable_transition(unit)


def encodable_transition(transition: Transition) -> Transition:
    """As `encodable`, of one transition."""
    return replace(
        transition,
        actor=None if transition.actor is None else _encodable_actor(transition.actor),
        history=tuple(replace(row, error=spelt_out(row.error)) for row in transition.history),
        mail=tuple(replace(row, parked=spelt_out(row.parked)) for row in transition.mail),
        rescheduled=tuple(replace(row, parked=spelt_out(row.parked)) for row in transition.rescheduled),
    )


def _encodable_actor(row: ActorRow) -> ActorRow:
    summary = row.summary
    return row if summary is None else replace(row, summary=replace(summary, error=spelt_out(summary.error)))


def spelt_out(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
