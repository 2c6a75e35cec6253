"""Lists of many items: whatever is kept of their tasks between two answers, the saga decides as without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderLine
from protos.warehouse_pb2 import CreateShippingLabel, VoidShippingLabel
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import instance
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.each import Each
from runtime.saga.tasks_at_hand import MANY, TasksAtHand
from runtime.testing.transcript import SagaTranscript
from runtime.testing.virtual.dice import Dice
from tests.unit.saga import shop
from tests.unit.saga.shop import BILLED, PLACED
from tests.unit.saga.test_each import each, labelled, saga, short, voided

_ITEMS = 2 * MANY

Pick = Callable[[int], int]
"""Which of so many commands is answered next."""


class OneRecord(SagaTranscript):
    """The record stays the same object from message to message, as it does in memory."""

    @property
    def record(self) -> SagaRecord:
        one: SagaRecord = self.__dict__.setdefault("one", SagaRecord())
        return one


def in_any_order() -> Pick:
    dice = Dice(7)
    return lambda waiting: dice.next() % waiting


ORDERS: dict[str, Callable[[], Pick]] = {
    "as they were asked": lambda: lambda waiting: 0,
    "the last one first": lambda: lambda waiting: waiting - 1,
    "in any order": in_any_order,
}


def many(state: OrderProcessState) -> list[OrderLine]:
    return [OrderLine(sku=f"SKU-{number}", quantity=2) for number in range(_ITEMS)]


def begun(list_: Each) -> tuple[OneRecord, TasksAtHand]:
    behaviour = SagaBehaviour(saga(list_))
    return OneRecord(behaviour).given(PLACED).given(BILLED), behaviour.definition.tasks_at_hand


def played(pick: Pick, *, turns_back_after: int) -> list[tuple[bytes, list[str]]]:
    """The record after each input, and what was sent. Every tenth item is refused."""
    story, _ = begun(each(items=many, at_once=50, tolerate=_ITEMS, on_done=None))
    told: list[tuple[bytes, list[str]]] = []
    waiting = list(story.decision.outgoing)
    while waiting:
        one = waiting.pop(pick(len(waiting)))
        is_undo = isinstance(one.message, VoidShippingLabel)
        is_refused = not is_undo and int(one.key.removeprefix("SKU-")) % 10 == 3
        story.given(voided(one.key) if is_undo else short(one.key) if is_refused else labelled(one.key), to=one)
        told.append((story.record.SerializeToString(), [sent.key for sent in story.decision.outgoing]))
        waiting += story.decision.outgoing
        if len(told) == turns_back_after:
            waiting += story.given_cancellation("enough").decision.outgoing
        waiting = [one for one in waiting if isinstance(one.message, CreateShippingLabel | VoidShippingLabel)]
    return told


@pytest.mark.parametrize("turns_back_after", [0, _ITEMS // 2], ids=["to its end", "and back"])
@pytest.mark.parametrize("order", ORDERS)
def test_each_answer_is_for_its_item_in_whatever_order_they_come(
    order: str, turns_back_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = played(ORDERS[order](), turns_back_after=turns_back_after)
    monkeypatch.setattr(instance, "MANY", 1_000_000)
    assert found == played(ORDERS[order](), turns_back_after=turns_back_after)
    assert len(found) >= _ITEMS


def record_of(count: int) -> SagaRecord:
    record = SagaRecord()
    record.tasks.add(path="lines")
    for number in range(count):
        record.tasks.add(path=f"lines[{number}]", within=1)
    return record


def test_what_is_written_to_a_task_at_hand_is_written_to_its_record() -> None:
    record, at_hand = record_of(100), TasksAtHand()
    at_hand.of(record)[7].status = TaskRecord.RUNNING
    assert record.tasks[7].status == TaskRecord.RUNNING
    assert at_hand.of(record)[7] is at_hand.of(record)[7], "no new object is made for it"


def test_of_a_record_that_was_put_back_the_tasks_are_those_that_it_has_now() -> None:
    record, at_hand = record_of(100), TasksAtHand()
    before = record.SerializeToString()
    at_hand.of(record)[7].status = TaskRecord.RUNNING
    record.ParseFromString(before)  # as a turn does whose handler has failed
    assert at_hand.of(record)[7].status == TaskRecord.WAITING
    at_hand.within(record, 0)[7].status = TaskRecord.DONE
    assert record.tasks[8].status == TaskRecord.DONE


def test_tasks_that_are_added_are_at_hand_and_none_that_are_gone_is() -> None:
    record, at_hand = record_of(100), TasksAtHand()
    assert len(at_hand.of(record)) == 101
    record.tasks.add(path="lines[100]", within=1)
    record.tasks.add(path="others")
    assert [task.path for task in at_hand.of(record)][-2:] == ["lines[100]", "others"]
    assert [task.path for task in at_hand.within(record, 0)][-1] == "lines[100]"
    del record.tasks[50:]
    assert len(at_hand.of(record)) == 50 and len(at_hand.within(record, 0)) == 49


def test_two_records_in_turn_have_each_its_own() -> None:
    one, other, at_hand = record_of(100), record_of(80), TasksAtHand()
    for record in (one, other, one):
        assert len(at_hand.within(record, 0)) == len(record.tasks) - 1
        assert at_hand.of(record)[3] is record.tasks[3]


def test_the_tasks_of_a_saga_are_kept_from_answer_to_answer_until_it_has_ended() -> None:
    story, at_hand = begun(each(items=many, on_done=None))
    waiting = list(story.decision.outgoing)
    while waiting:
        one = waiting.pop(0)
        first = at_hand.of(story.record)[0]
        story.given(labelled(one.key), to=one)
        assert len(at_hand) == len(story.record.tasks) and at_hand.of(story.record)[0] is first
        waiting += [sent for sent in story.decision.outgoing if isinstance(sent.message, CreateShippingLabel)]
    story.given(shop.READY).expect_status("completed")
    assert len(at_hand) == 0


def test_few_tasks_are_not_kept() -> None:
    story, at_hand = begun(each())
    story.given(labelled("HAT"), to=story.command(CreateShippingLabel, key="HAT"))
    assert len(at_hand) == 0
