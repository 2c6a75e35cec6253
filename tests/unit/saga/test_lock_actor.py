"""The actor of a lock: one saga holds the key, the others have their turn in the order in which they asked."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Decision, Delivery, SetTimer
from runtime.envelope import Envelope
from runtime.errors import FinalError
from runtime.protos.durable_pb2 import TimerFired
from runtime.protos.lock_pb2 import (
    AcquireLock,
    DeadlockSearch,
    LockClaim,
    LockGranted,
    LockLost,
    LockRecord,
    LockReleased,
    ReleaseLock,
)
from runtime.saga.lock_actor import LockBehaviour, held_until_s
from runtime.store.records import Outcome

A, B, C = "transfer/A", "transfer/B", "transfer/C"


class LockedKey:
    """One key, as its actor's turns leave it."""

    def __init__(self) -> None:
        self.behaviour = LockBehaviour("account")
        self.body = b""
        self.count = 0
        self.now_s = 100.0

    @property
    def record(self) -> LockRecord:
        return LockRecord.FromString(self.body)

    def take(self, message: Message, sender: str = "", *, timer: str = "") -> Decision:
        self.count += 1
        envelope = Envelope(
            id=self.count.to_bytes(16, "big"),
            kind="account-lock",
            key="ann",
            type=message.DESCRIPTOR.full_name,
            body=message.SerializeToString(),
            conversation=b"",
            sender=sender,
            reply_to=sender,
            timer=timer,
        )
        record = self.record
        decision = self.behaviour.decide(record, Delivery(envelope, message, self.now_s, 0, 0, lambda *_: b""))
        self.body = record.SerializeToString()
        return decision

    def asked(self, by: str, task: str = "hold", *, expires_s: float = 0.0, parent: str = "") -> Decision:
        return self.take(AcquireLock(key="ann", task=task, expires_s=expires_s, parent=parent), by)

    def released(self, by: str, task: str = "hold") -> Decision:
        return self.take(ReleaseLock(key="ann", task=task), by)

    def expired(self) -> Decision:
        self.now_s = held_until_s(self.record)
        return self.take(TimerFired(), timer="expiry")

    @property
    def held_by(self) -> list[str]:
        return [one.saga for one in self.record.holders]

    @property
    def waits(self) -> list[str]:
        return [one.saga for one in self.record.waiters]


def told(decision: Decision) -> list[tuple[type[Message], str]]:
    return [(type(one.message), f"{one.kind}/{one.key}".strip("/")) for one in decision.outgoing]


def granted(decision: Decision) -> LockGranted:
    (one,) = [one.message for one in decision.outgoing if isinstance(one.message, LockGranted)]
    return one


@pytest.mark.broken_by("lock-is-never-free")
def test_s81_who_asks_for_a_free_key_has_it_and_nothing_is_kept_once_it_is_released() -> None:
    key = LockedKey()
    decision = key.asked(A)
    assert told(decision) == [(LockGranted, A)]
    assert decision.timers == ()
    assert key.held_by == [A]
    assert told(key.released(A)) == [(LockReleased, "")]
    assert key.body == b""


@pytest.mark.broken_by("lock-goes-to-the-last")
def test_s129_three_get_the_key_in_the_order_in_which_they_asked() -> None:
    key = LockedKey()
    for one in (C, A, B):
        key.asked(one)
    assert (key.held_by, key.waits) == ([C], [A, B])
    assert (LockGranted, A) in told(key.released(C))
    assert (LockGranted, B) in told(key.released(A))
    key.released(B)
    assert key.body == b""


def test_s129_who_asks_once_more_keeps_its_place_and_what_it_holds() -> None:
    key = LockedKey()
    for one in (A, B, C, B):
        key.asked(one)
    assert (key.held_by, key.waits) == ([A], [B, C])
    assert key.record.waiters[0].command_id == (4).to_bytes(16, "big")
    assert told(key.asked(A)) == [(LockGranted, A)]


def test_who_waits_no_more_leaves_the_queue_and_one_that_never_asked_is_told_the_same() -> None:
    key = LockedKey()
    for one in (A, B, C):
        key.asked(one)
    assert told(key.released(B)) == [(LockReleased, "")]
    assert told(key.released("transfer/D")) == [(LockReleased, "")]
    assert (key.held_by, key.waits) == ([A], [C])


def test_only_a_saga_can_ask() -> None:
    with pytest.raises(FinalError, match="only an instance of a saga can hold a lock"):
        LockedKey().asked("")


# --- again ---


def test_s81_the_holder_has_it_for_another_of_its_tasks_until_both_are_released() -> None:
    key = LockedKey()
    key.asked(A)
    key.asked(B)
    assert told(key.asked(A, "again")) == [(LockGranted, A)]
    key.released(A)
    assert (key.held_by, key.waits) == ([A], [B])
    assert (LockGranted, B) in told(key.released(A, "again"))


def test_s81_a_child_of_the_holder_goes_on_and_frees_nothing_when_it_ends() -> None:
    key = LockedKey()
    key.asked(A)
    assert told(key.asked("part/A-1", parent=A)) == [(LockGranted, "part/A-1")]
    key.released("part/A-1")
    assert key.held_by == [A]
    key.released(A)
    assert key.body == b""


def test_tasks_and_children_that_wait_beside_a_saga_get_the_key_with_it() -> None:
    key = LockedKey()
    for by, task, parent in (
        (B, "hold", ""),
        (A, "hold", ""),
        (C, "hold", ""),
        (A, "again", ""),
        ("part/1", "hold", A),
    ):
        key.asked(by, task, parent=parent)
    granted = [to for type_, to in told(key.released(B)) if type_ is LockGranted]
    assert granted == [A, A, "part/1"]
    assert (key.held_by, key.waits) == ([A, A], [C])


# --- expiry ---


@pytest.mark.broken_by("lock-never-expires")
def test_s130_a_holder_whose_time_is_over_loses_the_key_to_who_waits_first_and_is_told() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    assert key.asked(B).timers == (SetTimer("expiry", 160.0),)
    key.asked(C)
    decision = key.expired()
    assert (key.held_by, key.waits) == ([B], [C])
    lost = decision.outgoing[0].message
    assert lost == LockLost(command_id=(1).to_bytes(16, "big"), at_s=160.0, went_to=B)
    assert told(decision)[:2] == [(LockLost, A), (LockGranted, B)]
    assert decision.timers == (CancelTimer("expiry"),)
    key.released(A)
    assert key.held_by == [B]


def test_s130_a_key_that_nobody_else_wants_is_held_beyond_its_time_and_goes_to_the_next_who_asks() -> None:
    key = LockedKey()
    assert key.asked(A, expires_s=60.0).timers == ()
    key.now_s = 1_000.0
    assert told(key.asked(B)) == [(LockLost, A), (LockGranted, B)]


def test_a_timer_that_comes_when_the_queue_is_empty_takes_nothing_away() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    key.asked(B)
    assert key.released(B).timers == (CancelTimer("expiry"),)
    key.expired()
    assert key.held_by == [A]


def test_each_hold_of_a_saga_has_a_time_of_its_own_and_the_key_goes_when_the_last_is_over() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    key.asked(B)
    key.now_s = 130.0
    again = key.asked(A, "again", expires_s=60.0)
    assert granted(again).expires_at_s == 190.0
    assert again.timers == (SetTimer("expiry", 190.0),)
    key.now_s = 160.0
    assert told(key.take(TimerFired(), timer="expiry")) == []
    assert key.held_by == [A, A]
    lost = [one.message for one in key.expired().outgoing if isinstance(one.message, LockLost)]
    assert [(one.command_id[-1], one.at_s, one.went_to) for one in lost] == [(1, 190.0, B), (3, 190.0, B)]
    assert key.held_by == [B]


def test_a_second_hold_that_never_expires_keeps_the_key_and_the_first_is_over_once_that_one_is_released() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    key.asked(B)
    assert key.asked(A, "again").timers == (CancelTimer("expiry"),)
    key.now_s = 1_000.0
    key.take(TimerFired(), timer="expiry")
    assert key.held_by == [A, A]
    assert told(key.released(A, "again"))[:2] == [(LockReleased, ""), (LockLost, A)]
    assert key.held_by == [B]


def test_a_second_hold_that_expires_takes_no_end_to_one_that_does_not() -> None:
    key = LockedKey()
    key.asked(A)
    assert granted(key.asked(A, "again", expires_s=60.0)).expires_at_s == 160.0
    key.asked(B)
    key.now_s = 1_000.0
    key.take(TimerFired(), timer="expiry")
    assert key.held_by == [A, A]


def test_a_saga_whose_time_is_over_and_whom_nobody_waits_for_takes_the_key_again_and_has_lost_nothing() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    key.now_s = 200.0
    assert told(key.asked(A, "again", expires_s=60.0)) == [(LockGranted, A)]
    assert held_until_s(key.record) == 260.0


def test_who_asks_once_more_has_the_time_that_is_left() -> None:
    key = LockedKey()
    key.asked(A, expires_s=60.0)
    key.now_s = 130.0
    assert granted(key.asked(A, expires_s=60.0)).expires_at_s == 160.0


# --- searches ---


def searches(decision: Decision) -> list[tuple[str, list[str]]]:
    """To whom, and who waits for whom."""
    found = [one.message for one in decision.outgoing if isinstance(one.message, DeadlockSearch)]
    return [(one.to, [each.saga for each in one.path]) for one in found]


@pytest.mark.broken_by("nobody-looks-for-deadlocks")
def test_s82_the_holder_is_told_who_waits_for_it_and_so_is_the_next_holder() -> None:
    key = LockedKey()
    assert searches(key.asked(A)) == []
    assert searches(key.asked(B)) == [(A, [B])]
    assert searches(key.asked(C)) == [(A, [C])]
    assert searches(key.released(A)) == [(B, [C])]
    assert key.record.waiters[0].waits_for == "account-lock/ann"


def test_s82_a_search_is_passed_on_to_the_holder_while_its_sender_waits() -> None:
    key = LockedKey()
    key.asked(A)
    key.asked(B)
    waits = LockClaim(saga=B, command_id=key.record.waiters[0].command_id)
    path = [LockClaim(saga="transfer/Z"), waits]
    assert searches(key.take(DeadlockSearch(to="account-lock/ann", path=path))) == [(A, ["transfer/Z", B])]
    before = key.body
    for stale in (LockClaim(saga=C, command_id=waits.command_id), LockClaim(saga=B, command_id=b"earlier")):
        decision = key.take(DeadlockSearch(to="account-lock/ann", path=[stale]))
        assert (decision.outgoing, decision.outcome) == ((), Outcome.IGNORED)
    assert key.body == before
