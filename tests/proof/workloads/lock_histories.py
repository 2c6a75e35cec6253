"""What the history tells of locks once all sagas have ended, compared with what a lock is for.

history of NAME-lock/KEY ──▶ who asked, and who was granted the key, by the revisions of its turns
history of what sagas do under a lock ──▶ from when to when each of them was at work on a key
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from runtime.durable.caused import came_of
from runtime.protos.durable_pb2 import Caused
from runtime.protos.lock_pb2 import AcquireLock, LockGranted, LockLost, LockRecord
from runtime.saga.node import full_name
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger, Violation

__all__ = ["broken_locks"]

_ASKED, _GRANTED, _LOST = map(full_name, (AcquireLock, LockGranted, LockLost))
_TOLD = (Outcome.HANDLED, Outcome.FIRED)  # A key changes hands by a message, or because a hold is over.
_WORK = "alpha"  # The kind of what sagas change under a lock.


def broken_locks(ledger: Ledger, kind: str, *, is_exclusive: bool) -> Iterator[Violation]:
    """`is_exclusive`: no lock of this kind expires, so that no two sagas are at work on one key."""
    histories: dict[str, list[HistoryRow]] = {}
    works: dict[str, list[HistoryRow]] = {}
    for some in ledger.history.values():
        for row in some.values():
            if row.kind == kind and row.revision and row.outcome in _TOLD:
                histories.setdefault(row.key, []).append(row)
            elif row.kind == _WORK and row.revision:
                works.setdefault(row.key, []).append(row)
    for key, rows in histories.items():
        for what in _out_of_order(rows):
            yield Violation("I2", f"{kind}/{key}: {what}")
        if is_exclusive:
            lockers = {row.sender for row in rows if row.type == _ASKED}
            for what in _at_once(ledger, [row for row in works.get(key, []) if row.sender in lockers]):
                yield Violation("I2", f"{kind}/{key}: {what}")
            if any(one.type == _LOST for row in rows for one in _caused(row)):
                yield Violation("I2", f"{kind}/{key}: it went to another, and never expires")
    for actor in ledger.rows_of(kind):
        record = LockRecord.FromString(actor.state)
        if record != LockRecord():
            waits = [one.saga for one in record.waiters]
            held = [one.saga for one in record.holders]
            yield Violation("I5", f"{kind}/{actor.key}: all have ended, and {held} hold it and {waits} wait")


def _out_of_order(rows: Iterable[HistoryRow]) -> Iterator[str]:
    """Who asked in an earlier turn of the key, and was granted it, was so no later than the other."""
    asked: dict[str, int] = {}
    granted: dict[str, int] = {}
    for row in sorted(rows, key=lambda one: one.revision):
        if row.type == _ASKED:
            asked.setdefault(row.sender, row.revision)
        for one in _caused(row):
            if one.type == _GRANTED:
                granted.setdefault(one.address, row.revision)
    turns = sorted((asked.get(saga, 0), revision, saga) for saga, revision in granted.items())
    for (asked_at, granted_at, saga), (other_asked_at, other_granted_at, other) in pairwise(turns):
        if asked_at < other_asked_at and granted_at > other_granted_at:
            yield f"{saga} asked before {other}, and got it later"


def _at_once(ledger: Ledger, rows: Iterable[HistoryRow]) -> Iterator[str]:
    """Two sagas of which one began before the other had done its last there."""
    times: dict[str, list[float]] = {}
    for row in rows:
        times.setdefault(row.sender, []).append(ledger.committed_at_s(row.id))
    spans = sorted((min(one), max(one), saga) for saga, one in times.items())
    for (_, end_s, saga), (begin_s, _, other) in pairwise(spans):
        if begin_s < end_s:
            yield f"{other} began its work there {end_s - begin_s:.3f} s before {saga} had done its own"


def _caused(row: HistoryRow) -> Iterable[Caused]:
    return came_of(row).caused
