"""The history of each key, read in the order of its turns and compared with what a key is for.

history of KIND-keys/KEY ──in order──▶ who holds the key, what is kept ──▶ what each message had to lead to
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from runtime.durable.caused import came_of
from runtime.protos.durable_pb2 import TimerFired
from runtime.protos.saga_pb2 import AwaitedEvent, AwaitEvent, EventCame, KeyRecord, KeyTaken, StopWaiting
from runtime.saga.node import full_name
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger, Violation
from tests.proof.workloads.turn_orders import after_turn

__all__ = ["broken_keys", "missed_events"]

_ASKED, _STOPPED = full_name(AwaitEvent), full_name(StopWaiting)
_TURN_S = 1.0  # From when a turn looks at its mail to the instant that it writes.
_OWN = (_ASKED, _STOPPED, full_name(TimerFired))
_CAME, _TAKEN = full_name(EventCame), full_name(KeyTaken)


def broken_keys(ledger: Ledger, kind: str, keep_for_s: float) -> Iterator[Violation]:
    """What is wrong with the keys of a kind, each of which holds for one event, once all sagas have ended.

    `keep_for_s` is how long a key keeps what nobody waits for yet.
    """
    histories: dict[str, list[HistoryRow]] = {}
    for some in ledger.history.values():
        for row in some.values():
            if row.kind == kind and row.revision and row.outcome in (Outcome.HANDLED, Outcome.IGNORED):
                histories.setdefault(row.key, []).append(row)
    for key, rows in histories.items():
        for what in _broken(rows, keep_for_s - ledger.clocks_wrong_s):
            yield Violation("I2", f"{kind}/{key}: {what}")
    for actor in ledger.rows_of(kind):
        for entry in KeyRecord.FromString(actor.state).events:
            if entry.status == AwaitedEvent.WAITING:
                yield Violation("I5", f"{kind}/{actor.key}: {entry.holder} has ended, and still waits")
            if entry.early:
                yield Violation("I5", f"{kind}/{actor.key}: {len(entry.early)} events are kept for nobody")


def missed_events(ledger: Ledger, kind: str) -> Iterator[Violation]:
    """Events that lay in the mail of an instance, and counted as late because its time was over."""
    rows = [row for some in ledger.history.values() for row in some.values() if row.revision]
    stopped_s = {row.sender: row.sent_at_s for row in rows if row.type == _STOPPED}
    for row in rows:
        if row.kind == kind and row.type == _CAME and row.outcome is Outcome.IGNORED:
            lay_s = stopped_s.get(f"{kind}/{row.key}", 0.0) - ledger.committed_at_s(row.id)
            if lay_s > _TURN_S + ledger.clocks_wrong_s:
                text = f"{kind}/{row.key}: its event had lain in its mail for {lay_s:.3f} s when its time was over"
                yield Violation("I1", text, row.conversation)


def _broken(rows: list[HistoryRow], kept_s: float) -> Iterator[str]:
    """The history does not order what one turn has handled, so any order of that will do which fits.

    What has been kept for `kept_s` may be forgotten.
    """
    model = _KeyModel(kept_s)
    for _, turn in groupby(sorted(rows, key=lambda one: one.revision), key=lambda one: one.revision):
        model, mistakes = after_turn(model, turn)
        yield from mistakes


@dataclass(slots=True)
class _KeyModel:
    """A key as it is meant: at most one waits, and at most one event is handed to it."""

    kept_s: float
    holder: str = ""
    last: str = ""  # Who held the key last.
    kept: int = 0
    kept_since_s: float = 0.0

    def broken(self, rows: Iterable[HistoryRow]) -> Iterator[str]:
        for row in rows:
            caused = came_of(row).caused
            handed = [one.address for one in caused if one.type == _CAME]
            is_refused = any(one.type == _TAKEN for one in caused)
            holder = self.holder or "nobody"
            may_be_forgotten = self.kept and row.handled_at_s >= self.kept_since_s + self.kept_s
            wanted, wants_refusal = self._take(row)
            if row.type == _ASKED and may_be_forgotten and not handed and wanted:
                self.holder = row.sender
            elif handed != wanted:
                yield f"{row.type} from {row.sender or 'a client'} was handed to {handed}, and had to be to {wanted}"
            if self.last and holder == "nobody" and row.type not in _OWN and row.outcome is Outcome.HANDLED:
                yield f"{row.type} from {row.sender or 'a client'} came late, and was not noted so"
            if is_refused != wants_refusal:
                yield f"{row.sender} was {'' if is_refused else 'not '}refused, while {holder} waited"

    def _take(self, row: HistoryRow) -> tuple[list[str], bool]:
        """To whom an event has to be handed now, and whether the instance has to be refused."""
        if row.type == _ASKED:
            return self._asked(row.sender)
        if row.type == _STOPPED:
            if row.sender == self.holder:
                self.holder = ""
            return [], False
        if self.holder:
            holder, self.holder = self.holder, ""
            return [holder], False
        if not self.last and row.type not in _OWN:
            self.kept_since_s = self.kept_since_s or row.handled_at_s
            self.kept += 1
        return [], False

    def _asked(self, sender: str) -> tuple[list[str], bool]:
        if self.holder and self.holder != sender:
            return [], True
        if self.last == sender:
            return [], False
        self.holder = self.last = sender
        if self.kept:
            self.holder, self.kept = "", 0
            return [sender], False
        return [], False
