"""A saga takes a lock on a key: it waits for its turn, holds the key until it has ended, and may lose it to another."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderReadyToShip
from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.durations import hours, minutes
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.protos.lock_pb2 import DeadlockFound, DeadlockSearch, LockClaim, LockLost
from runtime.protos.saga_pb2 import RepairSaga
from runtime.saga.child import Child
from runtime.saga.diagram import draw_saga
from runtime.saga.first_of import FirstOf
from runtime.saga.lock import Lock
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.shop import BILLED, CANCELLED, DECLINED, PLACED, READY, REFUNDED
from tests.unit.saga.test_children import child, start_child
from tests.unit.saga.test_nodes import bill, close, saga

OTHER = "process/ORD-0"


def sku(state: OrderProcessState) -> str:
    return state.line.sku


def order(state: OrderProcessState) -> str:
    return state.order_id


def lock(**changed: Any) -> Lock:
    declared = {"name": "stock", "key": sku, "within": minutes(5), "expires": hours(1)}
    return Lock(**{**declared, **changed})


def locking(**changed: Any) -> type[Saga[OrderProcessState]]:
    """Takes the lock; bills; says that it is done."""
    hold, first, last = lock(**changed), bill(), close()
    return saga(hold=hold, bill=first, close=last, flow=hold >> first >> last)


def story(**changed: Any) -> SagaTranscript:
    return SagaTranscript(locking(**changed), key="ORD-1")


def waiting(**changed: Any) -> SagaTranscript:
    """Another saga holds the key."""
    return story(**changed).given_locked("stock", "HAT", by=OTHER).given(PLACED).expect()


# --- it has its turn ---


def test_s81_a_free_lock_is_held_until_the_saga_has_completed() -> None:
    one = story().given(PLACED).expect(BillOrder).expect_locked("stock", "HAT")
    assert one.step("hold").lock.granted_at_s == 1_000.0
    assert one.step("hold").lock.expires_at_s == 1_000.0 + 3_600
    assert "hold" not in one.timers
    one.given(BILLED).expect(MarkReadyToShip).expect_locked("stock", "HAT").given(READY).expect_status("completed")
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")


def test_s81_a_saga_waits_for_the_one_that_holds_the_key_and_goes_on_when_that_has_ended() -> None:
    one = waiting()
    assert one.step_status("hold") == "asked"
    assert one.timers == {"hold": 1_000.0 + 300}
    one.given_unlocked("stock", "HAT", by=OTHER).expect(BillOrder).expect_locked("stock", "HAT")


@pytest.mark.parametrize("held", [True, False])
def test_a_lock_without_an_expiry_has_no_time_that_could_be_over(held: bool) -> None:
    one = story(expires=None)
    if held:
        one.given(PLACED)
    with pytest.raises(InvalidMessage, match=r"the time of stock-lock/HAT cannot be over: .*declare expires= of each"):
        one.given_lock_expired("stock", "HAT")
    assert one.now_s == 1_000.0


def test_s81_a_saga_takes_the_same_key_twice() -> None:
    hold, again, first = lock(), lock(), bill()
    one = SagaTranscript(saga(hold=hold, again=again, bill=first, flow=hold >> again >> first), key="ORD-1")
    one.given(PLACED).expect(BillOrder).given(DECLINED).expect(CancelOrder).given(CANCELLED)
    one.expect_status("compensated")
    assert [one.step_status(name) for name in ("hold", "again")] == ["undone", "undone"]
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")


def test_s81_what_turns_back_releases_the_key_once_all_that_came_after_is_undone() -> None:
    one = story().given(PLACED).given(BILLED).given_fault("no such order").expect(RefundOrder)
    one.expect_locked("stock", "HAT").given(REFUNDED).expect(CancelOrder)
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")
    assert one.step_status("hold") == "undone"
    one.given(CANCELLED).expect_status("compensated")


def test_s81_what_is_abandoned_releases_the_key_in_the_same_commit() -> None:
    one = story().given(PLACED).given_act(RepairSaga(act=RepairSaga.ABANDON)).expect_status("abandoned")
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")


def test_what_is_abandoned_while_it_waits_leaves_the_queue() -> None:
    one = waiting().given_act(RepairSaga(act=RepairSaga.ABANDON)).expect_status("abandoned")
    one.given_unlocked("stock", "HAT", by=OTHER)
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")


# --- it has not ---


def test_a_saga_whose_time_of_waiting_is_over_turns_back_and_leaves_the_queue() -> None:
    one = waiting().given_silence("hold").expect(CancelOrder)
    assert one.record.reason == "hold: stock-lock/HAT was not free within 0:05:00"
    one.given(CANCELLED).expect_status("compensated").given_unlocked("stock", "HAT", by=OTHER)
    with pytest.raises(AssertionError, match="held by nobody"):
        one.expect_locked("stock", "HAT")


def test_its_time_is_not_over_while_mail_waits_that_may_be_its_turn() -> None:
    one = SagaTranscript(locking(), key="ORD-1").given_locked("stock", "HAT")
    one.given(PLACED)
    assert SetTimer("hold", 1_300.0, after_mail=True) in one.decision.timers


def test_a_cancelled_saga_leaves_the_queue() -> None:
    one = waiting().given_cancellation("no longer wanted").given(CANCELLED).expect_status("compensated")
    assert one.step_status("hold") == "undone"


# --- it loses it ---


def test_s130_a_key_that_has_expired_goes_to_the_next_and_the_record_of_its_holder_says_so() -> None:
    one = story().given(PLACED).given_locked("stock", "HAT", by=OTHER).given_lock_expired("stock", "HAT")
    known = one.step("hold").lock
    assert (known.lost_at_s, known.went_to) == (4_600.0, OTHER)
    assert one.decision.alarm == (
        "its lock stock-lock/HAT has expired, and went to process/ORD-0, while the saga goes on"
    )
    one.given(BILLED).given(READY).expect_status("completed")
    with pytest.raises(AssertionError, match="held by process/ORD-0"):
        one.expect_locked("stock", "HAT")


def test_a_saga_is_told_once_that_it_has_lost_its_lock() -> None:
    one = story().given(PLACED)
    lost = LockLost(command_id=one.step("hold").do.command_id, at_s=4_600.0, went_to=OTHER)
    one.given_event(lost).given_event(lost).expect_ignored("went to process/ORD-0")


# --- deadlocks ---


def claim(saga: str, waits_for: str, started_at_s: float, id: bytes = b"c") -> LockClaim:
    return LockClaim(saga=saga, waits_for=waits_for, started_at_s=started_at_s, command_id=id)


def sent(one: SagaTranscript) -> list[Outgoing]:
    return list(one.decision.outgoing)


def test_s82_a_saga_that_waits_passes_a_search_on_to_what_it_waits_for() -> None:
    one = waiting()
    before = one.record
    one.given_event(DeadlockSearch(to="process/ORD-1", path=[claim("process/ORD-2", "stock-lock/CUP", 5.0)]))
    (passed,) = sent(one)
    assert isinstance(passed.message, DeadlockSearch)
    assert (passed.kind, passed.key, passed.message.to) == ("stock-lock", "HAT", "stock-lock/HAT")
    assert [each.saga for each in passed.message.path] == ["process/ORD-2", "process/ORD-1"]
    assert passed.message.path[1].command_id == one.step("hold").do.command_id
    assert one.record == before


def test_s82_a_saga_that_waits_for_nothing_ends_a_search() -> None:
    one = story().given(PLACED)
    one.given_event(DeadlockSearch(to="process/ORD-1", path=[claim("process/ORD-2", "stock-lock/CUP", 5.0)]))
    assert not sent(one)
    one.expect_ignored("it waits not")


@pytest.mark.parametrize(("other_began_s", "victim"), [(5.0, "process/ORD-1"), (5_000.0, "process/ORD-2")])
def test_s82_of_a_circle_the_saga_that_began_last_has_to_turn_back(other_began_s: float, victim: str) -> None:
    one = waiting()
    mine = claim("process/ORD-1", "stock-lock/HAT", 1_000.0, one.step("hold").do.command_id)
    path = [mine, claim("process/ORD-2", "stock-lock/CUP", other_began_s)]
    one.given_event(DeadlockSearch(to="process/ORD-1", path=path))
    (found,) = sent(one)
    assert isinstance(found.message, DeadlockFound)
    assert f"{found.kind}/{found.key}" == victim
    assert found.message.circle == (
        "process/ORD-1 waits for stock-lock/HAT, which process/ORD-2 holds; "
        "process/ORD-2 waits for stock-lock/CUP, which process/ORD-1 holds"
    )


def test_s82_the_saga_that_is_told_of_a_deadlock_turns_back_with_the_reason() -> None:
    one = waiting()
    found = DeadlockFound(command_id=one.step("hold").do.command_id, circle="they wait for each other")
    one.given_event(found).expect(CancelOrder)
    assert one.record.reason == "hold: deadlock: they wait for each other"
    assert one.step_status("hold") == "undone"


def test_a_deadlock_that_is_over_turns_nothing_back() -> None:
    one = waiting()
    found = DeadlockFound(command_id=one.step("hold").do.command_id, circle="they wait for each other")
    one.given_unlocked("stock", "HAT", by=OTHER).given_event(found).expect_ignored("a deadlock is over")
    mine = claim("process/ORD-1", "stock-lock/HAT", 1_000.0, found.command_id)
    one.given_event(DeadlockSearch(to="process/ORD-1", path=[mine, claim("process/ORD-2", "stock-lock/CUP", 5.0)]))
    assert not sent(one)
    one.expect_ignored("a wait that is over")


def test_a_suspended_saga_passes_searches_on_and_keeps_what_it_is_told() -> None:
    one = waiting().given_act(RepairSaga(act=RepairSaga.SUSPEND))
    one.given_event(DeadlockSearch(to="process/ORD-1", path=[claim("process/ORD-2", "stock-lock/CUP", 5.0)]))
    assert len(sent(one)) == 1
    one.given_unlocked("stock", "HAT", by=OTHER).expect()
    one.given_act(RepairSaga(act=RepairSaga.RESUME))
    assert BillOrder in [type(each.message) for each in sent(one)]


# --- definitions ---


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"within": None}, "it does not say how long to wait for the lock: within=minutes"),
        ({"within": 0}, "a wait for a lock has a finite span above 0"),
        ({"expires": -1}, "a lock is held for a finite span above 0"),
        ({"name": "a/b"}, "needs a kind without a slash"),
        ({"name": 3}, "needs a text; it has 3"),
        ({"key": lambda: "HAT"}, "takes the state; no more, and no less"),
    ],
)
def test_s17_a_lock_that_makes_no_sense_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        locking(**changed)


def test_s17_a_lock_past_the_pivot_is_refused() -> None:
    first, hold = Step(shop.mark_ready, OrderReadyToShip, timeout=30, pivot=True), lock()
    with pytest.raises(InvalidDefinition, match="take the lock before the pivot"):
        saga(close=first, hold=hold, flow=first >> hold)


def test_s17_a_lock_among_alternatives_is_refused() -> None:
    hold: Any = lock()
    with pytest.raises(InvalidDefinition, match="take the lock before"):
        either: Any = FirstOf(bill=bill(), lock=hold)
        saga(either=either, flow=either)


def test_s82_a_saga_that_waits_for_its_child_passes_a_search_on_to_that() -> None:
    part = Child(child(), start=start_child)
    one = SagaTranscript(saga(part=part, flow=part), key="ORD-1").given(PLACED)
    one.given_event(DeadlockSearch(to="process/ORD-1", path=[claim("process/ORD-2", "stock-lock/CUP", 5.0)]))
    (passed,) = sent(one)
    assert isinstance(passed.message, DeadlockSearch)
    assert passed.message.to == one.step("part").address == f"{passed.kind}/{passed.key}"
    assert [(each.saga, each.command_id) for each in passed.message.path] == [
        ("process/ORD-2", b"c"),
        ("process/ORD-1", b""),
    ]


def test_a_key_that_is_no_text_ends_the_saga_with_the_reason() -> None:
    one = story(key=lambda state: "").given(PLACED).expect(CancelOrder)
    assert "it has to be the text that says which stock is locked" in one.record.reason


def test_a_lock_is_drawn_with_what_ends_the_wait_for_it() -> None:
    drawn = draw_saga(locking().definition)
    assert 'state "hold: lock stock" as hold' in drawn
    assert "hold --> undo_hold: not free within 0:05:00, or a deadlock" in drawn
    assert 'state "release hold" as undo_hold' in drawn


def test_the_explorer_takes_a_lock_for_a_step_that_is_undone_by_its_release() -> None:
    bounds = Bounds(faults_max=1, silences_max=1, cancels_max=1, poisons_max=0, replays_max=0, duplicates_max=1)
    explore(locking(), bounds=bounds, samples=(PLACED, BILLED)).check()


def test_the_transcript_knows_the_locks_that_the_saga_asks_for_and_no_others() -> None:
    with pytest.raises(InvalidMessage, match="it asks for stock-lock"):
        story().given_locked("goods", "HAT")
