"""A record of what the store has promised over its lives, kept outside of it, and its comparison with the disk.

    WitnessedStore ──begins, answered, failed, settled──▶ Books ──▶ MemoryStore   judges each batch as the store must
                                                             └──▶ Ledger        all rows there have to be; invariants
    after a power cut: Books.compare(what is on the disk)

Nobody was told the outcome of the batch that was under way at the power cut. It may be there or not, but as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runtime.envelope import address_of
from runtime.ports import Ports
from runtime.saga.definition import Definition
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, HistoryRow, MailRow, Verdict
from runtime.testing.rules.ledger import Ledger, Violation

__all__ = ["Books", "RowsFound"]

_SHOWN_MAX = 3
_MEANS_WRITTEN = (Verdict.COMMITTED, Verdict.DUPLICATE)  # A post that already waits counts as written.
_Row = ActorRow | MailRow | HistoryRow
_K = TypeVar("_K")
_R = TypeVar("_R", ActorRow, MailRow, HistoryRow)


@dataclass(frozen=True, slots=True)
class RowsFound:
    """Every row of the three tables that hold work, as read from a disk."""

    actors: Sequence[ActorRow] = ()
    mail: Sequence[MailRow] = ()
    history: Sequence[HistoryRow] = ()


class Books:
    """All commits of one store, over all its lives."""

    def __init__(self, ports: Ports, sagas: Iterable[Definition] = ()) -> None:
        self.ledger = Ledger(sagas)
        self.lost: list[Violation] = []  # Promised rows that are not there.
        self.wrong: list[Violation] = []  # Rows that are there and should not be, and wrong answers.
        self.kept_unanswered = 0  # Batches that were under way at the power cut, and are there.
        self.dropped_unanswered = 0
        self._model = MemoryStore(ports)
        self._under_way: Sequence[Unit] = ()
        self._cluster_id = ""

    @property
    def answered(self) -> int:
        """How many commits were answered."""
        return self.ledger.commits

    # --- while there is power ---

    def opened(self, cluster_id: str) -> None:
        """A life has opened the store."""
        if self._cluster_id not in ("", cluster_id):
            self.lost.append(Violation("lost", f"the store was {self._cluster_id}, and is now {cluster_id}"))
        self._cluster_id = cluster_id

    def begins(self, batch: Sequence[Unit]) -> None:
        """A commit begins; the batch may still grow."""
        self._under_way = batch

    async def answered_with(self, batch: Sequence[Unit], verdicts: Sequence[Verdict]) -> None:
        expected = await self._write(batch)
        if list(verdicts) != expected:
            text = f"a commit was answered {' '.join(verdicts)}, which should be {' '.join(expected)}"
            self.wrong.append(Violation("verdict", text))

    def refused(self) -> None:
        """The commit under way ended with an error which says that nothing was written."""
        self._under_way = ()

    async def settled(self, batch: Sequence[Unit], there: Sequence[bool]) -> None:
        """The store has said for good what became of a commit of unknown outcome."""
        written = [transition for transition, is_there in zip(batch, there, strict=True) if is_there]
        verdicts = await self._write(written)
        if any(verdict not in _MEANS_WRITTEN for verdict in verdicts):
            self.wrong.append(Violation("settle", f"said to be there is what cannot be: {' '.join(verdicts)}"))

    async def _write(self, batch: Sequence[Unit]) -> list[Verdict]:
        self._under_way = ()
        verdicts = await self._model.commit(batch)
        self.ledger.wrote(batch, verdicts)
        return verdicts

    # --- after a power cut ---

    async def compare(self, found: RowsFound) -> None:
        """Check that the disk has every promised row and nothing else, except perhaps the unanswered batch."""
        batch = self._under_way
        missing, strange = self._difference(found)
        if not batch:
            self._report(missing, strange)
        elif missing or strange:
            await self._write(batch)
            self.kept_unanswered += 1
            still_missing, still_strange = self._difference(found)
            if still_missing or still_strange:
                self._report(missing, still_strange or strange)
        else:
            self._under_way = ()
            self.dropped_unanswered += 1

    def _difference(self, found: RowsFound) -> tuple[list[_Row], list[_Row]]:
        """The rows that must be there and are not, and the rows that are there and must not be."""
        ledger = self.ledger
        history = {(row.conversation, row.id): row for rows in ledger.history.values() for row in rows.values()}
        actors = _compare(ledger.actors, {row.address: row for row in found.actors})
        mail = _compare(ledger.waiting, {row.id: row for row in found.mail})
        handled = _compare(history, {(row.conversation, row.id): row for row in found.history})
        return [*actors[0], *mail[0], *handled[0]], [*actors[1], *mail[1], *handled[1]]

    def _report(self, missing: Sequence[_Row], strange: Sequence[_Row]) -> None:
        if missing:
            self.lost.append(Violation("lost", f"committed, and not there: {_named(missing)}", missing[0].conversation))
        if strange:
            text = f"there, and never committed so: {_named(strange)}"
            self.wrong.append(Violation("strange", text, strange[0].conversation))


def _compare(due: Mapping[_K, _R], there: Mapping[_K, _R]) -> tuple[list[_R], list[_R]]:
    """The due rows that are missing, and the rows that are there in their place or beside them."""
    missing = [row for key, row in due.items() if there.get(key) != row]
    strange = [row for key, row in there.items() if due.get(key) != row]
    return missing, strange


def _named(rows: Sequence[_Row]) -> str:
    more = f" and {len(rows) - _SHOWN_MAX} more" if len(rows) > _SHOWN_MAX else ""
    return ", ".join(_name(row) for row in rows[:_SHOWN_MAX]) + more


def _name(row: _Row) -> str:
    where = address_of(row.kind, row.key)
    match row:
        case ActorRow():
            return f"{where} at revision {row.revision}"
        case MailRow():
            return f"message {row.id.hex()} for {where}"
        case HistoryRow():
            return f"{row.type} {row.id.hex()} handled by {where}"
