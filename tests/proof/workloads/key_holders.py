"""Who held a key at which time, as the history of the key tells, and what that means for all that came by it.

history of KIND-keys/KEY ──in the order of its turns──▶ who holds the key ──▶ what each message had to lead to

One instance at a time holds a key, an instance is refused only if another holds it or waits by it, and what comes while
the key is held is for its holder alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from runtime.durable.caused import came_of
from runtime.protos.saga_pb2 import (
    AwaitedEvent,
    AwaitEvent,
    EventCame,
    HoldKey,
    KeyHeld,
    KeyRecord,
    KeyTaken,
    ReleaseKey,
    StopWaiting,
)
from runtime.saga.node import full_name
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger, Violation
from tests.proof.workloads.turn_orders import after_turn

__all__ = ["broken_holders"]

_HELD, _HOLDS, _RELEASES, _CAME = map(full_name, (KeyHeld, HoldKey, ReleaseKey, EventCame))
_TAKEN, _AWAITS, _STOPS = map(full_name, (KeyTaken, AwaitEvent, StopWaiting))


def broken_holders(ledger: Ledger, kind: str, may_hold: Collection[tuple[str, str]] = ()) -> Iterator[Violation]:
    """What is wrong with who held the keys of a kind, at rest.

    `may_hold` has the address of each instance that has not ended, with each key that it may still hold.
    """
    histories: dict[str, list[HistoryRow]] = {}
    for some in ledger.history.values():
        for row in some.values():
            if row.kind == kind and row.revision and row.outcome in (Outcome.HANDLED, Outcome.IGNORED):
                histories.setdefault(row.key, []).append(row)
    for key, rows in histories.items():
        for what in _broken(rows):
            yield Violation("I2", f"{kind}/{key}: {what}")
    for actor in ledger.rows_of(kind):
        for entry in KeyRecord.FromString(actor.state).events:
            waits = entry.holder if entry.status == AwaitedEvent.WAITING else ""
            for holder in sorted({entry.held_by, waits} - {""}):
                if (holder, actor.key) not in may_hold:
                    yield Violation("I5", f"{kind}/{actor.key}: {holder} holds it, and has ended or given it up")


def _broken(rows: list[HistoryRow]) -> Iterator[str]:
    """The history does not order what one turn has handled, so any order of that will do which fits."""
    model = _Holder()
    for _, turn in groupby(sorted(rows, key=lambda one: one.revision), key=lambda one: one.revision):
        model, mistakes = after_turn(model, turn)
        yield from mistakes


@dataclass(slots=True)
class _Holder:
    """Who holds a key, as it is meant, and who waits by it without holding it yet."""

    name: str = ""
    waits: str = ""

    def broken(self, rows: Iterable[HistoryRow]) -> Iterator[str]:
        for row in rows:
            caused = came_of(row).caused
            types = [one.type for one in caused]
            handed = [one.address for one in caused if one.type == _CAME]
            if self.name and handed not in ([], [self.name]):
                yield f"an event was handed to {handed}, while {self.name} held it"
            if self.name and row.error.startswith("discarded"):
                yield f"an event was discarded, while {self.name} held it"
            if row.type == _HOLDS and _TAKEN in types and {self.name, self.waits} <= {"", row.sender}:
                yield f"{row.sender} was refused, and no other held it"
            if row.type == _HOLDS and _HELD in types:
                if self.name not in ("", row.sender):
                    yield f"{row.sender} got it, while {self.name} held it"
                self.name = row.sender
            elif row.type == _RELEASES and row.sender == self.name:
                self.name = ""
            self._follow_waits(row, is_taken=_TAKEN in types, is_handed=bool(handed))

    def _follow_waits(self, row: HistoryRow, *, is_taken: bool, is_handed: bool) -> None:
        if is_handed or (row.type == _STOPS and row.sender == self.waits):
            self.waits = ""
        elif row.type == _AWAITS and not is_taken and row.outcome is Outcome.HANDLED:
            self.waits = row.sender
