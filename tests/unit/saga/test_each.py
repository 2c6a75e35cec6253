"""A step for each item of a list: what is sent, what counts as done, what is undone, and what is refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderLine, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelAccepted, RepairSaga, RetryAccepted
from runtime.saga.each import ITEMS_MAX, LOCKS_MAX, Each
from runtime.saga.lock import Lock
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.wait import Wait
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, REFUNDED

KEYS = ("CAP", "HAT", "TIE")


def lines(state: OrderProcessState) -> list[OrderLine]:
    return [OrderLine(sku=key, quantity=state.line.quantity) for key in KEYS]


def label(state: OrderProcessState, line: OrderLine) -> CreateShippingLabel:
    return CreateShippingLabel(sku=line.sku, quantity=line.quantity, order_id=state.order_id)


def void(state: OrderProcessState, line: OrderLine) -> VoidShippingLabel:
    return VoidShippingLabel(sku=line.sku, quantity=line.quantity, order_id=state.order_id)


def keep(line: OrderLine, answer: ShippingLabelCreated) -> None:
    line.quantity = answer.quantity


def total(state: OrderProcessState, done: list[OrderLine]) -> None:
    state.label_id = ",".join(f"{line.sku}:{line.quantity}" for line in done)


def labelling(**changed: Any) -> Step:
    given: dict[str, Any] = {
        "do": label,
        "done": ShippingLabelCreated,
        "refused": BackOrdered,
        "undo": void,
        "undone": ShippingLabelVoided,
        "timeout": minutes(1),
        "on_answer": keep,
        "budget": Budget(asks_max=2),
    }
    return Step(**{**given, **changed})


def each(**changed: Any) -> Each:
    return Each(**{"items": lines, "key": "sku", "step": labelling(), "on_done": total, **changed})


def saga(list_: Each, *, pivot: bool = False, **options: Any) -> type[Saga[OrderProcessState]]:
    """Bills, labels each line, and marks the order as ready."""
    back: dict[str, Any] = {} if pivot else {"undo": shop.refund_order, "undone": OrderRefunded}
    paid = Step(shop.bill_order, OrderBilled, timeout=30, pivot=pivot, **back)
    close = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="" if pivot else "it only says so")
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "bill": paid,
        "lines": list_,
        "close": close,
        "flow": paid >> list_ >> close,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    return made("Process", Saga[OrderProcessState], body, kind="process", **options)


def under_way(list_: Each | None = None, **options: Any) -> SagaTranscript:
    return SagaTranscript(saga(list_ or each(), **options)).given(PLACED).given(BILLED)


def labelled(key: str, quantity: int = 2) -> ShippingLabelCreated:
    return ShippingLabelCreated(order_id="ORD-1", sku=key, quantity=quantity, label_id="LB")


def short(key: str) -> BackOrdered:
    return BackOrdered(order_id="ORD-1", sku=key, quantity=2)


def voided(key: str) -> ShippingLabelVoided:
    return ShippingLabelVoided(order_id="ORD-1", sku=key, quantity=2)


def to(story: SagaTranscript, key: str, type_: Any = CreateShippingLabel) -> Any:
    return [one for one in story.sent if isinstance(one.message, type_) and one.key == key][-1]


def phases(story: SagaTranscript) -> dict[str, str]:
    return {task.path: story.step_status(task.path) for task in story.record.tasks}


def state_of(story: SagaTranscript) -> OrderProcessState:
    return OrderProcessState.FromString(story.record.state)


# --- forward ---


@pytest.mark.broken_by("list-is-done-before-its-items")
def test_s105_each_item_is_asked_for_and_the_flow_goes_on_once_when_all_are_done() -> None:
    story = under_way().expect(CreateShippingLabel, CreateShippingLabel, CreateShippingLabel)
    assert phases(story)["lines"] == "under way"
    for key in ("HAT", "CAP"):
        story.given(labelled(key), to=to(story, key)).expect()
    story.given(labelled("TIE", 5), to=to(story, "TIE")).expect(MarkReadyToShip)
    assert phases(story)["lines[TIE]"] == "done"
    assert state_of(story).label_id == "CAP:2,HAT:2,TIE:5", "what each answer said was kept in its item"
    story.given(shop.READY).expect_status("completed")
    assert story.timers == {}


@pytest.mark.broken_by("list-opens-all-at-once")
def test_s105_at_most_so_many_are_under_way_at_once() -> None:
    story = under_way(each(at_once=2)).expect(CreateShippingLabel, CreateShippingLabel)
    assert phases(story)["lines[TIE]"] == "waiting"
    story.given(labelled("HAT"), to=to(story, "HAT")).expect(CreateShippingLabel)
    assert to(story, "TIE")
    story.given(labelled("HAT"), to=to(story, "HAT")).expect_ignored("came late")


@pytest.mark.broken_by("empty-list-never-done")
def test_s108_an_empty_list_is_done_at_once() -> None:
    def none(state: OrderProcessState) -> list[str]:
        return []

    step = labelling(do=label_text, undo=void_text, on_answer=())
    story = under_way(each(items=none, key="", step=step, on_done=None)).expect(MarkReadyToShip)
    assert phases(story)["lines"] == "done"


def test_items_may_be_texts_which_name_themselves() -> None:
    step = labelling(do=label_text, undo=void_text, on_answer=())
    story = under_way(each(items=texts, key="", step=step, on_done=None))
    assert [one.key for one in story.decision.outgoing] == ["A", "B"]
    assert story.timers.keys() == {"lines[A]", "lines[B]"}


def texts(state: OrderProcessState) -> tuple[str, ...]:
    return ("A", "B")


def label_text(state: OrderProcessState, key: str) -> CreateShippingLabel:
    return CreateShippingLabel(sku=key, quantity=1, order_id=state.order_id)


def void_text(state: OrderProcessState, key: str, reason: str) -> VoidShippingLabel:
    return VoidShippingLabel(sku=key, quantity=1, order_id=f"{state.order_id}: {reason}")


# --- back ---


@pytest.mark.broken_by("items-forgotten-on-the-way-back")
def test_s106_one_that_is_refused_turns_the_saga_back_and_those_that_may_have_happened_are_undone() -> None:
    story = under_way()
    story.given(labelled("CAP"), to=to(story, "CAP"))
    story.given(short("HAT"), to=to(story, "HAT")).expect(VoidShippingLabel, VoidShippingLabel)
    assert story.record.reason == "lines[HAT]: BackOrdered"
    assert phases(story) | {"lines[CAP]": "undoing", "lines[HAT]": "refused", "lines[TIE]": "undoing"} == phases(story)
    story.given(voided("TIE"), to=to(story, "TIE", VoidShippingLabel)).expect()
    assert phases(story)["bill"] == "owed", "what came before the list waits for the whole list"
    story.given(voided("CAP"), to=to(story, "CAP", VoidShippingLabel)).expect(RefundOrder)
    assert phases(story)["lines"] == "undone"
    story.given(REFUNDED).expect(CancelOrder).given(CANCELLED).expect_status("compensated")
    assert story.timers == {}


def test_an_undo_is_given_the_item_as_its_answer_has_left_it() -> None:
    story = under_way().given(labelled("CAP", 9), to=None)
    story.given(short("HAT"), to=to(story, "HAT"))
    assert to(story, "TIE", VoidShippingLabel).message.quantity == 9, "the last command was for TIE"


def test_a_text_item_s_undo_may_ask_for_the_reason() -> None:
    step = labelling(do=label_text, undo=void_text, on_answer=())
    story = under_way(each(items=texts, key="", step=step, on_done=None)).given_cancellation("no more")
    assert to(story, "A", VoidShippingLabel).message.order_id == "ORD-1: cancelled: no more"


def test_items_that_were_never_begun_are_not_undone() -> None:
    story = under_way(each(at_once=1)).given(short("CAP")).expect(RefundOrder)
    assert phases(story) | {"lines": "skipped", "lines[HAT]": "waiting", "lines[TIE]": "waiting"} == phases(story)


def test_at_most_so_many_are_undone_at_once() -> None:
    story = under_way(each(at_once=2))
    story.given(labelled("CAP"), to=to(story, "CAP")).given(labelled("HAT"), to=to(story, "HAT"))
    story.given_cancellation("no more").expect(CancelAccepted, VoidShippingLabel, VoidShippingLabel)
    story.given(voided("CAP"), to=to(story, "CAP", VoidShippingLabel)).expect(VoidShippingLabel)


def test_a_silent_item_turns_the_saga_back_and_is_undone_as_well() -> None:
    story = under_way().given_silence("lines[HAT]")
    assert story.record.reason == "lines[HAT]: no answer within 60 s"
    assert sorted(one.key for one in story.decision.outgoing) == ["CAP", "HAT", "TIE"]


def test_an_undo_that_is_out_of_budget_leaves_the_saga_stuck_and_the_others_go_on() -> None:
    story = under_way(each(at_once=1)).given(labelled("CAP"), to=None).given(labelled("HAT"), to=None)
    story.given_silence("lines[TIE]").expect(VoidShippingLabel)
    first = to(story, "CAP", VoidShippingLabel)
    story.given_fault("broken", to=first).given_silence("lines[CAP]")
    story.given_fault("broken", to=to(story, "CAP", VoidShippingLabel)).expect(VoidShippingLabel)
    story.expect_status("stuck", "undo of step lines[CAP]: given up by")
    story.given(voided("HAT"), to=to(story, "HAT", VoidShippingLabel)).expect(VoidShippingLabel)
    story.given(voided("TIE"), to=to(story, "TIE", VoidShippingLabel)).expect().expect_status("stuck")
    story.given_retry().expect(VoidShippingLabel, RetryAccepted)
    story.given(voided("CAP"), to=to(story, "CAP", VoidShippingLabel)).expect(RefundOrder)


def test_independent_undos_go_on_past_a_list_of_which_all_that_is_left_is_stuck() -> None:
    story = under_way(each(step=labelling(budget=Budget(asks_max=1))), undo="independent")
    story.given(short("HAT"), to=to(story, "HAT"))
    story.given_fault("broken", to=to(story, "CAP", VoidShippingLabel)).expect()
    story.given_fault("broken", to=to(story, "TIE", VoidShippingLabel)).expect(RefundOrder)
    story.expect_status("stuck")


# --- some may fail ---


def test_a_refusal_that_is_tolerated_is_done_without() -> None:
    story = under_way(each(tolerate=1)).given(short("HAT"), to=None).expect()
    story.given(labelled("CAP"), to=to(story, "CAP")).given(labelled("HAT"), to=to(story, "HAT"))
    story.expect(MarkReadyToShip)
    assert state_of(story).label_id == "CAP:2,HAT:2"


def test_a_silent_item_that_is_tolerated_is_undone_before_the_flow_goes_on() -> None:
    story = under_way(each(tolerate=1)).given_silence("lines[HAT]").expect(VoidShippingLabel)
    for key in ("CAP", "TIE"):
        story.given(labelled(key), to=to(story, key)).expect()
    story.given(voided("HAT"), to=to(story, "HAT", VoidShippingLabel)).expect(MarkReadyToShip)
    assert phases(story) | {"lines": "done", "lines[HAT]": "undone"} == phases(story)


def test_one_failure_too_many_turns_the_saga_back_and_says_how_many() -> None:
    story = under_way(each(tolerate=1)).given(short("TIE"))
    story.given(short("CAP"), to=to(story, "CAP"))
    assert "2 of 3 are refused or have failed, 1 may" in story.record.reason


@pytest.mark.broken_by("item-done-without-is-not-undone")
def test_s107_once_enough_are_done_the_rest_is_undone_and_what_was_not_begun_never_is() -> None:
    story = under_way(each(at_least=1, at_once=2)).given(labelled("CAP"), to=None).expect(VoidShippingLabel)
    assert phases(story) | {"lines[CAP]": "undoing", "lines[TIE]": "passed"} == phases(story)
    story.given(voided("CAP")).expect(MarkReadyToShip)
    assert state_of(story).label_id == "HAT:2"


def test_a_failed_undo_of_what_is_tolerated_is_for_a_person() -> None:
    story = under_way(each(tolerate=1, step=labelling(budget=Budget(asks_max=1)))).given_silence("lines[HAT]")
    story.given_fault("broken").expect_status("stuck", "undo of step lines[HAT]: given up by")
    story.given_retry().given(voided("HAT"), to=to(story, "HAT", VoidShippingLabel)).expect_status("running")


def test_an_item_whose_undo_a_person_gives_up_counts_among_those_that_are_tolerated() -> None:
    story = under_way(each(tolerate=1, step=labelling(budget=Budget(asks_max=1)))).given_silence("lines[HAT]")
    story.given_fault("broken").given_act(RepairSaga(act=RepairSaga.SKIP, task="lines[HAT]"))
    assert phases(story)["lines[HAT]"] == "given up"
    story.given(short("CAP"), to=to(story, "CAP")).expect_status("compensating", "2 of 3 are refused or have failed")


# --- past the pivot ---


def test_past_the_pivot_each_item_is_asked_until_it_is_done() -> None:
    list_ = each(at_once=1, step=labelling(refused=(), undo=None, undone=()))
    story = under_way(list_, pivot=True).given_silence("lines[CAP]").expect(CreateShippingLabel)
    story.given_silence("lines[CAP]").expect(CreateShippingLabel)
    story.expect_status("stuck", "step lines[CAP]: no answer within 120 s; still to do: lines, close")
    assert phases(story)["lines[HAT]"] == "asked", "the others go on"


# --- what is wrong with a list ---


@pytest.mark.broken_by("bad-list-counts-as-empty")
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (
            [OrderLine(sku="A"), OrderLine(sku="A")],
            "items of lines made two of the key 'A'; an item is known by its key",
        ),
        ([OrderLine()], "items of lines: an item has the key ''"),
        ([OrderLine(sku="A" * 250)], "cannot name its task: lines[KEY] must be at most 256 bytes of UTF-8; it has 257"),
        ([OrderLine(sku="A\nB")], "cannot name its task: lines[KEY] holds a control character (U+000A) at 7"),
        (["A"], "items of lines made one of type str, not OrderLine"),
        (None, "items of lines made NoneType, not several items"),
        ("AB", "items of lines made str, not several items"),
    ],
)
def test_s109_a_list_that_cannot_be_used_turns_the_saga_back_and_nothing_of_it_is_sent(made: Any, why: str) -> None:
    def wrong(state: OrderProcessState) -> list[OrderLine]:
        return made  # type: ignore[no-any-return]

    story = under_way(each(items=wrong)).expect(RefundOrder)
    assert why in story.record.reason
    assert phases(story)["lines"] == "waiting"


def test_a_list_without_end_is_cut_off_at_the_limit() -> None:
    def endless(state: OrderProcessState) -> list[OrderLine]:
        return (OrderLine(sku=str(number)) for number in iter(int, 1))  # type: ignore[return-value]

    def many(state: OrderProcessState) -> list[OrderLine]:
        return [OrderLine(sku=str(number)) for number in range(ITEMS_MAX + 1)]

    assert "made two of the key '0'" in under_way(each(items=endless)).record.reason
    assert "made more than 100,000, which is the limit" in under_way(each(items=many)).record.reason


def test_a_list_of_locks_has_at_most_as_many_as_one_commit_can_release() -> None:
    def many(state: OrderProcessState) -> list[str]:
        return [str(number) for number in range(LOCKS_MAX + 1)]

    locked = each(items=many, key="", on_done=None, step=Lock("stock", key=lambda state, sku: sku, within=60))
    assert "made more than 10,000, which is the limit" in under_way(locked).record.reason


def test_a_list_for_which_the_record_has_no_room_turns_the_saga_back_and_nothing_of_it_is_sent() -> None:
    def many(state: OrderProcessState) -> list[OrderLine]:
        return [OrderLine(sku=str(number)) for number in range(1_000)]

    story = SagaTranscript(saga(each(items=many)), state_bytes_max=100_000).given(PLACED).given(BILLED)
    story.expect(RefundOrder)
    assert "items of lines made 1,000, for which the record of the saga would need about 20" in story.record.reason
    SagaTranscript(saga(each(items=many)), state_bytes_max=300_000).given(PLACED).given(BILLED).expect_status("running")


def test_a_function_of_an_item_that_fails_turns_the_saga_back() -> None:
    def fails(state: OrderProcessState, line: OrderLine) -> CreateShippingLabel:
        raise ValueError(f"no {line.sku}")

    story = under_way(each(step=labelling(do=fails))).expect(RefundOrder)
    assert "lines[CAP]: do of step lines[CAP] raised ValueError: no CAP" in story.record.reason


def test_an_on_done_that_fails_turns_the_saga_back() -> None:
    def fails(state: OrderProcessState, done: list[OrderLine]) -> None:
        raise ValueError("no total")

    story = under_way(each(on_done=fails))
    for key in KEYS:
        story.given(labelled(key), to=to(story, key))
    assert "on_done of lines raised ValueError: no total" in story.record.reason
    assert len(story.decision.outgoing) == 3


def wrong_items(state: OrderProcessState):  # type: ignore[no-untyped-def]
    return []


def takes_text(state: OrderProcessState, line: str) -> CreateShippingLabel:
    return CreateShippingLabel(sku=line)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"items": wrong_items}, "annotate what wrong_items returns with the type of the items"),
        ({"key": ""}, "say which text field names an item"),
        ({"key": "quantity"}, "has no text field 'quantity'"),
        ({"key": 7}, "it is a field's name, or a function of the item, not 7"),
        ({"in_order": 1}, "in_order is True or False, not 1"),
        ({"in_order": True, "at_once": 3}, "in order one item is under way at a time, and at_once=3 says more"),
        ({"at_once": 0}, "how many items may be under way"),
        ({"at_once": 10_001}, "how many items may be under way .* at most 10,000"),
        ({"at_least": 0}, "how many have to be done"),
        ({"tolerate": -1}, "how many items may fail"),
        ({"tolerate": 1, "at_least": 1}, "say one"),
        ({"step": 7}, "lines.step: it is a Step, a Child or a Lock, not 7"),
        ({"step": Wait(5)}, "not a Wait; put it into the flow of a saga of its own, and have that as a Child here"),
        ({"step": labelling(pivot=True)}, "the pivot stands within another node"),
        ({"step": labelling(do=shop.create_label)}, "create_label takes the state and the item"),
        ({"step": labelling(do=takes_text)}, "takes_text takes str second, and is given the item"),
        ({"step": labelling(undo=None, undone=())}, "has no undo"),
        ({"step": labelling(on_answer=shop.keep_label)}, "keep_label takes shop.OrderProcessState first"),
        ({"on_done": shop.bill_order}, "bill_order takes the state and the items"),
        ({"items": texts}, "its items are texts, and name themselves"),
        ({"items": texts, "key": "", "on_done": None}, "label takes .* second, and is given the item, a str"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_when_the_class_is_made(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        saga(each(**changed))


def test_past_the_pivot_nothing_can_be_done_without() -> None:
    with pytest.raises(InvalidDefinition, match="past the pivot each item is asked until it is done"):
        saga(each(tolerate=1, step=labelling(refused=(), undo=None, undone=())), pivot=True)


def test_counts_change_no_fingerprint_and_the_item_s_type_does() -> None:
    usual = saga(each()).definition.fingerprint
    assert saga(each(at_once=7, tolerate=1)).definition.fingerprint == usual
    step = labelling(do=label_text, undo=void_text, on_answer=())
    assert saga(each(items=texts, key="", step=step, on_done=None)).definition.fingerprint != usual


def test_the_step_of_a_list_can_be_varied() -> None:
    varied = saga(each()).with_steps(lines={"at_once": 1, "step": labelling(timeout=seconds(3))})
    story = SagaTranscript(varied).given(PLACED).given(BILLED).expect(CreateShippingLabel)
    assert story.timers["lines[CAP]"] == 1_003.0


def test_commands_of_items_count_among_those_of_the_saga() -> None:
    assert [step.command.name for step in saga(each()).definition.steps][:3] == [
        BillOrder.DESCRIPTOR.full_name,
        CreateShippingLabel.DESCRIPTOR.full_name,
        MarkReadyToShip.DESCRIPTOR.full_name,
    ]


# --- an undo that is stuck on the way forward ---


def stuck_beside() -> SagaTranscript:
    """The undo of an item that is done without is stuck, while a bill beside the list is still open."""
    tolerant = each(tolerate=1, step=labelling(budget=Budget(asks_max=1)), on_done=None)
    back: dict[str, Any] = {"undo": shop.refund_order, "undone": OrderRefunded}
    paid = Step(shop.bill_order, OrderBilled, PaymentDeclined, timeout=30, **back)
    close = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="it only says so")
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "bill": paid,
        "lines": tolerant,
        "close": close,
        "flow": (paid | tolerant) >> close,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    story = SagaTranscript(made("Process", Saga[OrderProcessState], body, kind="process")).given(PLACED)
    story.given_silence("lines[HAT]").given_fault("broken").expect_status("stuck", "undo of step lines[HAT]")
    return story


def test_what_fails_beside_a_stuck_undo_turns_the_saga_back_which_stays_stuck() -> None:
    story = stuck_beside()
    story.given_silence("bill").expect_status("stuck", "undo of step lines[HAT]: given up by")
    assert story.record.reason == "bill: no answer within 30 s"
    assert phases(story) | {"bill": "undoing", "lines": "undoing", "lines[HAT]": "owed"} == phases(story)
    for key in ("CAP", "TIE"):
        story.given(voided(key), to=to(story, key, VoidShippingLabel))
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("stuck")
    story.given_retry().expect(VoidShippingLabel, RetryAccepted)
    story.given(voided("HAT"), to=to(story, "HAT", VoidShippingLabel)).expect(CancelOrder)
    story.given(CANCELLED).expect_status("compensated")


def test_what_is_refused_beside_a_stuck_undo_turns_the_saga_back_which_stays_stuck() -> None:
    story = stuck_beside()
    story.given(shop.DECLINED, to=story.command(BillOrder)).expect_status("stuck", "undo of step lines[HAT]")
    assert story.record.reason == "bill: PaymentDeclined"
    for key in ("CAP", "TIE"):
        story.given(voided(key), to=to(story, key, VoidShippingLabel))
    story.given_retry().given(voided("HAT"), to=to(story, "HAT", VoidShippingLabel)).expect(CancelOrder)
