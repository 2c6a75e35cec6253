"""An instance that an older definition began is carried over by a declared migration, or rests with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip, OrderState
from protos.warehouse_pb2 import CreateShippingLabel, Restock, Restocked, ShippingLabelCreated, VoidShippingLabel
from runtime.durable.turn.unhandled import MessagePutOff
from runtime.durations import seconds
from runtime.errors import InvalidDefinition, NotCarried
from runtime.operate.as_test import as_test
from runtime.operate.dead_letters import NotFound
from runtime.operate.history import read_history
from runtime.protos.saga_pb2 import CancelSaga, RepairSaga, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.carrying import Carried, Position, renames
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.saga import test_awaits as waits
from tests.unit.saga import test_each as lists
from tests.unit.saga import test_undo_state as undo_states
from tests.unit.saga.made import made
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    CANCELLED,
    LABELLED,
    PLACED,
    READY,
    REFUNDED,
    ShopProcess,
    begin,
    bill_order,
    cancel_order,
    mark_ready,
    refund_order,
)

OLD = ShopProcess.definition.fingerprint
RESTOCKED = Restocked(sku="HAT", quantity=1)


def restock(state: OrderProcessState) -> Restock:
    return Restock(sku=state.line.sku, quantity=1)


def version(given: Any) -> type[Saga[Any]]:
    """Checks before it charges, and tells the warehouse beside what closes the order. `charge` was called `bill`."""

    class Next(Saga[OrderProcessState], kind="order-process"):
        started_by = ShopProcess.started_by
        check = Step(do=restock, done=Restocked, timeout=seconds(9), no_undo="it only asks")
        charge = replace(ShopProcess.bill)
        ship = replace(ShopProcess.ship)
        close = replace(ShopProcess.close)
        tell = Step(do=restock, done=Restocked, timeout=seconds(9))
        flow = check >> charge >> ship >> (close | tell)
        closing = ShopProcess.closing
        carries = given

    return Next


NEXT = version({ShopProcess: renames(bill="charge")})


class LacksReady(Saga[OrderProcessState], kind="order-process"):
    """Nothing in it is answered with OrderReadyToShip."""

    started_by = ShopProcess.started_by
    bill = replace(ShopProcess.bill)
    ship = replace(ShopProcess.ship)
    tell = Step(do=restock, done=Restocked, timeout=seconds(9))
    flow = bill >> ship >> tell
    closing = ShopProcess.closing
    carries: ClassVar = {ShopProcess: renames(close="tell")}


NEW = NEXT.definition.fingerprint


def asked() -> SagaTranscript:
    return SagaTranscript(ShopProcess).given(PLACED)


def labelled() -> SagaTranscript:
    return asked().given(BILLED).given(LABELLED)


def by(saga: type[Saga[Any]], story: SagaTranscript) -> SagaTranscript:
    return SagaTranscript(saga).carrying_on(story)


def statuses(story: SagaTranscript) -> dict[str, str]:
    return {task.path: story.step_status(task.path) for task in story.record.tasks}


# --- carried over ---


@pytest.mark.broken_by("carried-over-and-not-told")
def test_s132_an_instance_is_carried_over_once_in_the_commit_that_touches_it() -> None:
    story = by(NEXT, asked()).given(BILLED).expect(CreateShippingLabel)
    record = story.record
    assert (record.fingerprint, list(record.earlier_fingerprints)) == (NEW, [OLD])
    assert story.decision.note == f"carried over from version {OLD.hex()} to {NEW.hex()}"
    assert statuses(story)["check"] == "passed", "it comes before what had begun"
    assert story.step_status("charge") == "done" and record.tasks[1].path == "charge"
    story.given(LABELLED).expect(MarkReadyToShip, Restock)
    assert story.decision.note == "" and list(story.record.earlier_fingerprints) == [OLD]
    story.given(READY, to=story.command(MarkReadyToShip)).given(RESTOCKED, to=story.command(Restock))
    story.expect_status("completed")


def test_the_timer_of_a_task_with_another_name_keeps_its_instant() -> None:
    first = asked()
    due_at_s = first.timers["bill"]
    story = by(NEXT, first).given_event(PLACED)
    assert "bill" not in story.timers and story.timers["charge"] == due_at_s
    story.given_silence("charge").expect_status("compensating", "charge: no answer")


def test_the_timer_that_touches_an_instance_is_that_of_the_task_by_its_new_name() -> None:
    story = by(NEXT, asked()).given_silence("bill").expect_status("compensating", "charge: no answer within 30 s")
    assert "bill" not in story.timers


def test_what_is_ready_by_the_new_definition_begins_in_the_same_commit() -> None:
    story = by(NEXT, labelled()).given(READY).expect(Restock).expect_status("running")
    assert story.record.pivot_passed
    story.given(RESTOCKED).expect_status("completed")


def test_an_instance_that_has_turned_back_goes_on_undoing() -> None:
    story = by(NEXT, asked().given(BILLED).given(BACK_ORDERED)).given(REFUNDED).expect(CancelOrder)
    story.given(CANCELLED).expect_status("compensated")


def test_a_stuck_instance_is_carried_over_and_tried_again() -> None:
    first = labelled()
    for _ in range(3):
        first.given_fault()
        if first.status != "stuck":
            first.given_silence("close")
    story = by(NEXT, first.expect_status("stuck")).given_retry()
    assert MarkReadyToShip in [type(one.message) for one in story.decision.outgoing]
    story.expect_status("running")


def test_an_answer_that_was_held_and_that_the_new_definition_lacks_uses_up_an_ask_and_is_told() -> None:
    first = labelled().given_act(RepairSaga(act=RepairSaga.SUSPEND)).given(READY).expect()
    story = by(LacksReady, first).given_act(RepairSaga(act=RepairSaga.RESUME)).expect_status("running")
    assert not story.record.held and story.step_status("tell") == "unknown"
    assert "shop.OrderReadyToShip is no answer that the saga declares any more" in story.step("tell").do.error
    story.given_silence("tell").expect(Restock).given(RESTOCKED).expect_status("completed")


def test_an_instance_that_has_ended_stays_ended() -> None:
    story = by(NEXT, labelled().given(READY).expect_status("completed")).given(READY).expect()
    story.expect_status("completed")
    assert statuses(story)["tell"] == "passed"


def begun(event: OrderPlaced) -> OrderState:
    return OrderState(order_id=event.order_id)


def bill_state(state: OrderState) -> BillOrder:
    return BillOrder(order_id=state.order_id)


def label_state(state: OrderState) -> CreateShippingLabel:
    return CreateShippingLabel(sku="HAT", quantity=state.amount_cents, order_id=state.order_id)


def small(migrate: Callable[..., Any], *, old: object = ShopProcess) -> type[Saga[Any]]:
    """With two steps, and a state of another type."""
    given = {old: migrate}

    class SmallProcess(Saga[OrderState], kind="order-process"):
        started_by = on(OrderPlaced, begun)
        bill = Step(do=bill_state, done=OrderBilled, timeout=seconds(9), no_undo="for the sake of the test")
        ship = Step(do=label_state, done=ShippingLabelCreated, timeout=seconds(9), pivot=True)
        flow = bill >> ship
        carries = given

    return SmallProcess


def test_the_state_may_be_of_another_type_and_the_migration_sees_the_position() -> None:
    seen: list[Position] = []

    def to_order(old: OrderProcessState, position: Position) -> OrderState:
        seen.append(position)
        return OrderState(order_id=old.order_id, amount_cents=old.amount_cents + 1)

    story = by(small(to_order, old=OLD.hex()), asked()).given(BILLED)
    story.expect(CreateShippingLabel(sku="HAT", quantity=501, order_id="ORD-1"))
    assert story.record.state_type == "shop.OrderState"
    waiting = dict.fromkeys(("ship", "close", "closing"), "waiting")
    assert seen == [Position("running", {"bill": "asked", **waiting})]


# --- at rest, with the reason ---


def raises(state: OrderProcessState, position: Position) -> Carried:
    raise ZeroDivisionError("no charge")


def keeps(**tasks: str) -> Callable[[OrderProcessState, Position], Carried]:
    def kept(state: OrderProcessState, position: Position) -> Carried:
        return Carried(state, tasks)

    return kept


def another_key(state: OrderProcessState, position: Position) -> OrderProcessState:
    state.order_id = "ORD-2"
    return state


def wrong_type(state: OrderProcessState, position: Position) -> OrderPlaced:
    return OrderPlaced()


@pytest.mark.parametrize(
    ("story", "migrate", "reason"),
    [
        (asked, raises, "its migration raised ZeroDivisionError: no charge"),
        (asked, wrong_type, "its migration made a OrderPlaced, not a shop.OrderProcessState"),
        (asked, another_key, "left 'order_id' as 'ORD-2', and its key is 'ORD-1'"),
        (asked, keeps(), "its step 'bill' is asked: say which task goes on in its place"),
        (asked, keeps(bill=""), "its step 'bill' is asked: say which task goes on in its place"),
        (asked, keeps(bill="pay"), "has 'bill' go on as 'pay', which its new definition has not"),
        (asked, keeps(pay="charge"), "names the task 'pay', which its old definition has not"),
        (asked, keeps(bill="charge", ship="charge"), "has two tasks go on as 'charge'"),
        (labelled, keeps(), "its step 'bill' is done: say which task stands for it now"),
        (
            labelled,
            keeps(bill="", ship="check", close="ship"),
            "point of no return, and that of its new .* is not done",
        ),
        (asked, keeps(bill="tell"), "its step 'tell' has begun, and 'ship', which comes before it now, is waiting"),
    ],
)
def test_s133_an_instance_that_cannot_be_carried_over_is_left_as_it_is_with_the_reason(
    story: Callable[[], SagaTranscript], migrate: Callable[..., Any], reason: str
) -> None:
    first = story()
    newer = by(version({ShopProcess: migrate}), first)
    with pytest.raises(NotCarried, match=reason):
        newer.given(LABELLED)
    assert newer.record == first.record
    timer = min(newer.timers, key=lambda name: newer.timers[name])
    newer.given_silence(timer).expect().expect_ignored("is left so: ")
    assert newer.record == first.record and newer.timers[timer] == newer.now_s + 60


def test_s133_once_its_migration_is_mended_the_instance_goes_on_and_its_history_says_what_it_cannot_tell() -> None:
    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(ShopProcess)]).start()
        await node.send(PLACED, kind="order-process")
        before = await node.row("order-process", "ORD-1")
        await node.stop()
        broken = await LocalNode([SagaBehaviour(version({ShopProcess: raises}))], node.store).start()
        await broken.sleep(100)
        rests = await broken.row("order-process", "ORD-1")
        assert (rests.state, rests.summary) == (before.state, before.summary) and rests.revision > before.revision
        await broken.stop()
        mended = await LocalNode([SagaBehaviour(NEXT)], node.store).start()
        await mended.sleep(100)
        row = await mended.row("order-process", "ORD-1")
        record = SagaRecord.FromString(row.state)
        assert (record.fingerprint, record.status) == (NEW, SagaRecord.COMPENSATING)
        assert row.summary is not None and row.summary.version == NEW.hex()
        history = await mended.store.conversation(row.conversation)
        notes = [one.error for one in history if one.kind == "order-process" and "carried over" in one.error]
        assert notes == [f"carried over from version {OLD.hex()} to {NEW.hex()}"]
        assert any("its migration raised ZeroDivisionError" in one.error for one in history), "and why it rested"
        behaviours = {"order-process": SagaBehaviour(NEXT)}
        told = await read_history(mended.store, mended.contracts, behaviours, ("order-process", "ORD-1"))
        assert told.untold.startswith(f"version {OLD.hex()} of order-process began it, and it was carried over to ")
        with pytest.raises(NotFound, match="no test can be made of order-process/ORD-1, since version"):
            as_test(told, behaviours["order-process"], "tests.unit.saga.test_migration:NEXT")
        await mended.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("another-version's-mail-passed-over")
def test_s133_mail_for_an_instance_that_cannot_be_carried_over_waits_and_the_log_says_why() -> None:
    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(ShopProcess)]).start()
        await node.send(PLACED, kind="order-process")
        await node.stop()
        broken = await LocalNode([SagaBehaviour(version({ShopProcess: raises}))], node.store).start()
        cancellation = await broken.client.send(CancelSaga(reason="too late"), kind="order-process", key="ORD-1")
        assert cancellation is not None
        await broken.sleep(5)
        assert "ZeroDivisionError" in broken.facts_of(MessagePutOff)[0].error  # type: ignore[attr-defined]
        [mail] = await broken.mail("order-process", "ORD-1")
        assert (mail.parked, mail.attempts) == ("", 0)
        await broken.stop()
        mended = await LocalNode([SagaBehaviour(NEXT)], node.store).start()
        await mended.sleep(10)
        record = SagaRecord.FromString((await mended.row("order-process", "ORD-1")).state)
        assert (record.fingerprint, record.reason) == (NEW, "cancelled: too late")
        await mended.stop()

    in_virtual_time(scenario)


# --- declared ---


def test_a_build_says_that_it_carries_what_it_can_carry_over() -> None:
    behaviour = SagaBehaviour(NEXT)
    assert behaviour.carries[:2] == (f"order-process/{NEW.hex()}", f"order-process/{OLD.hex()}")
    assert behaviour.lacks(asked().record, "ORD-1", "shop.OrderBilled") is None


def test_migrations_are_kept_by_a_variation() -> None:
    assert OLD in NEXT.with_steps(charge={"timeout": 1.0}).definition.carries


# --- by way of a version between the two ---


def third(given: Any) -> type[Saga[Any]]:
    """It knows nothing of the first: `bill` was called `charge` in between, and there is no check any more."""

    class Third(Saga[OrderProcessState], kind="order-process"):
        started_by = ShopProcess.started_by
        bill = replace(ShopProcess.bill)
        parcel = replace(ShopProcess.ship)
        close = replace(ShopProcess.close)
        tell = Step(do=restock, done=Restocked, timeout=seconds(9))
        flow = bill >> parcel >> close >> tell
        closing = ShopProcess.closing
        carries = given

    return Third


OVER = renames(charge="bill", ship="parcel", check="")
THIRD = third({NEXT: OVER})


def test_an_instance_is_carried_over_two_migrations_in_one_commit_and_its_record_has_both_versions() -> None:
    first = labelled()
    story = by(THIRD, first).given(READY)
    story.expect(Restock(sku="HAT", quantity=1))
    assert list(story.record.earlier_fingerprints) == [OLD, NEW]
    assert story.record.fingerprint == THIRD.definition.fingerprint


def test_a_timer_that_two_migrations_name_anew_keeps_its_instant() -> None:
    first = asked().given(BILLED)
    story = by(THIRD, first).given(CancelSaga(reason="no"))
    assert "ship" in first.timers and "ship" not in story.timers
    waiting = by(THIRD, asked())
    waiting.given(BILLED)
    assert waiting.timers["parcel"] == first.timers["ship"]


def test_a_build_says_that_it_carries_what_comes_by_way_of_another_version() -> None:
    behaviour = SagaBehaviour(THIRD)
    assert {f"order-process/{OLD.hex()}", f"order-process/{NEW.hex()}"} <= set(behaviour.carries)
    assert behaviour.lacks(asked().record, "ORD-1", "shop.OrderBilled") is None


def test_s133_an_instance_that_fails_on_its_way_is_left_in_its_first_version() -> None:
    for between, reason in (
        (version({ShopProcess: raises}), f"is left so: on its way over version {NEW.hex()}: its migration raised Zero"),
        (version({ShopProcess: renames(bill="charge")}), r"its migration names the task 'nope'"),
    ):
        last = third({between: keeps(nope="bill")})
        first = asked()
        story = by(last, first)
        with pytest.raises(NotCarried, match=reason):
            story.given(BILLED)
        assert story.record == first.record


def test_a_migration_that_is_declared_right_here_goes_before_a_way_over_another_version() -> None:
    both = {NEXT: OVER, ShopProcess: renames(ship="parcel")}
    last = third(both)
    assert list(by(last, asked()).given(BILLED).record.earlier_fingerprints) == [OLD]


def test_a_circle_of_migrations_and_two_ways_are_refused() -> None:
    last = THIRD.definition.fingerprint
    back = version({last.hex(): keeps(), ShopProcess: renames(bill="charge")})
    with pytest.raises(InvalidDefinition, match=r"Next carries over instances of this very version, so the two would"):
        third({back: keeps()})
    ways = {NEXT: keeps(), LacksReady: keeps()}
    with pytest.raises(InvalidDefinition, match=r"over by way of Next or of LacksReady; say in Third.carries how they"):
        third(ways)


def short(state: OrderProcessState) -> OrderProcessState:
    return state


def of_another(state: OrderState, position: Position) -> OrderProcessState:
    return OrderProcessState()


class Foreign(Saga[OrderState], kind="foreign"):
    started_by = on(OrderPlaced, begun)
    bill = Step(do=bill_state, done=OrderBilled, timeout=seconds(9), no_undo="for the sake of the test")
    flow = bill


@pytest.mark.parametrize(
    ("carries", "complaint"),
    [
        ([ShopProcess], "Next.carries is older definitions with migrations"),
        ({"abc": raises}, "Next.carries['abc'] is no older definition: name its version"),
        ({7: raises}, "Next.carries[7] is no older definition"),
        ({NEW.hex(): raises}, "is this version itself, whose instances go on by themselves; take it out"),
        ({ShopProcess: raises, OLD.hex(): raises}, "this version stands there twice"),
        ({Foreign: raises}, "Next.carries[Foreign] is of the kind foreign, and instances never change their kind"),
        ({ShopProcess: short}, "short takes the old state and the position, (state, position); no more"),
        ({ShopProcess: of_another}, "of_another takes shop.OrderState first, and is given shop.OrderProcessState"),
        ({ShopProcess: "migrate"}, "'migrate' is no function"),
    ],
)
def test_what_is_no_migration_is_refused(carries: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        version(carries)
    assert complaint in str(refused.value)


def test_what_renames_to_no_name_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="name the task that goes on in place of bill"):
        renames(bill="no name")


# --- lists ---


def boxed(**tasks: str) -> type[Saga[Any]]:
    """The process of a list, whose list has another name."""
    bill = Step(bill_order, OrderBilled, timeout=30, undo=refund_order, undone=OrderRefunded)
    boxes, close = lists.each(), Step(mark_ready, OrderReadyToShip, timeout=30, no_undo="it only says so")
    body = {
        "started_by": on(OrderPlaced, begin),
        "bill": bill,
        "boxes": boxes,
        "close": close,
        "flow": bill >> boxes >> close,
        "closing": Step(cancel_order, done=OrderCancelled),
        "carries": {lists.saga(lists.each()): renames(**tasks)},
    }
    return made("Boxed", Saga[OrderProcessState], body, kind="process")


def test_the_items_of_a_list_go_on_under_its_new_name() -> None:
    first = lists.under_way()
    names = [task.path for task in first.record.tasks if task.within]
    asked, timers = [one for one in names if one in first.timers], dict(first.timers)
    story = by(boxed(lines="boxes"), first).given_event(PLACED)
    assert [task.path for task in story.record.tasks if task.within] == [one.replace("lines", "boxes") for one in names]
    assert {name: story.timers[name.replace("lines", "boxes")] for name in asked} == {
        name: timers[name] for name in asked
    }
    silent = story.given_silence(asked[0].replace("lines", "boxes"))
    silent.expect_status("compensating", "boxes")
    assert any(isinstance(one.message, VoidShippingLabel) for one in silent.sent)


def test_a_list_is_no_step() -> None:
    with pytest.raises(NotCarried, match="'lines' is under way, and 'close' is of another kind"):
        by(boxed(lines="close", close=""), lists.under_way()).given_event(PLACED)


# --- states that undos are given ---


def marked(state: OrderProcessState, position: Position) -> Carried:
    state.charge_id += " (moved)"
    return Carried(state, {"bill": "charge"})


def test_an_undo_is_given_the_state_of_its_instant_carried_over_as_well() -> None:
    body = {
        "started_by": on(OrderPlaced, begin),
        "charge": (charge := replace(undo_states.bill)),
        "ship": (ship := replace(undo_states.ship)),
        "flow": charge >> ship,
        "carries": {undo_states.BillsThenShips: marked},
    }
    moved = made("ChargesThenShips", Saga[OrderProcessState], body, kind="bills-then-ships")
    first = undo_states.begun(undo_states.BillsThenShips).given(BILLED).given(BACK_ORDERED).given_fault()
    story = by(moved, first).given_silence("bill")
    story.expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-1 (moved)', label ''"))
    assert OrderProcessState.FromString(story.record.state).label_id == "none"


def test_a_wait_for_an_event_keeps_its_name_while_it_waits() -> None:
    """The actor of the key knows the wait by it."""
    story = waits.billed()
    first: Any = waits.waiting()
    body = {
        "started_by": first.started_by,
        "bill": (bill := replace(first.bill)),
        "parcel": (parcel := replace(first.label)),
        "close": (close := replace(first.close)),
        "flow": bill >> parcel >> close,
        "closing": first.closing,
        "carries": {first: renames(label="parcel")},
    }
    moved = made("Waiting", Saga[OrderProcessState], body, kind=first.kind)
    with pytest.raises(NotCarried, match="'label' waits for an event under this name, and cannot go on as 'parcel'"):
        by(moved, story).given(READY)
