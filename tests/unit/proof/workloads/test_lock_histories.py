"""The order in which a key was given away is judged by all turns of its lock, those of its timer among them."""

from __future__ import annotations

from runtime.protos.durable_pb2 import CausedList
from runtime.protos.lock_pb2 import AcquireLock, LockGranted
from runtime.saga.node import full_name
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger
from tests.proof.workloads.lock_histories import broken_locks

_TIMER = "amends.TimerFired"


def _turn(revision: int, type: str, sender: str, *granted: str, outcome: Outcome = Outcome.HANDLED) -> HistoryRow:
    caused = CausedList()
    for saga in granted:
        caused.caused.add(type=full_name(LockGranted), address=saga)
    said = caused.SerializeToString()
    id = revision.to_bytes(2, "big")
    return HistoryRow(id, id, "till-lock", "b", 0, revision, 0.0, outcome, 1, "n", "", type, sender, b"", 0.0, said)


def _asks(revision: int, saga: str, *granted: str) -> HistoryRow:
    return _turn(revision, full_name(AcquireLock), saga, *granted)


def _fires(revision: int, *granted: str) -> HistoryRow:
    return _turn(revision, _TIMER, "", *granted, outcome=Outcome.FIRED)


def _judged(*rows: HistoryRow) -> list[str]:
    ledger = Ledger()
    ledger.history = {row.conversation: {row.id: row} for row in rows}
    return [one.what for one in broken_locks(ledger, "till-lock", is_exclusive=False)]


def test_a_key_that_goes_to_whoever_asked_first_breaks_nothing() -> None:
    assert (
        _judged(_asks(1, "one", "one"), _asks(2, "two"), _asks(3, "three"), _fires(4, "two"), _fires(5, "three")) == []
    )


def test_a_key_that_its_timer_gives_to_the_last_who_asked_is_told() -> None:
    told = _judged(_asks(1, "one", "one"), _asks(2, "two"), _asks(3, "three"), _fires(4, "three"), _fires(5, "two"))
    assert told == ["till-lock/b: two asked before three, and got it later"]


def test_a_saga_that_was_given_the_key_by_a_timer_and_lost_it_may_be_given_it_again_later() -> None:
    first = (_asks(1, "one", "one"), _asks(2, "two"), _asks(3, "three"), _fires(4, "two"))
    assert _judged(*first, _asks(5, "two", "three"), _fires(6, "two")) == []
