"""What an operator is offered: acts that the saga takes, whatever it is stuck at; and what is owed, told once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderReadyToShip
from runtime.operate.choices import acts_for, owed
from runtime.operate.lookup import accounts
from runtime.protos.definition_pb2 import SagaShape
from runtime.protos.saga_pb2 import RepairRefused, RepairSaga
from runtime.saga.flow import Part
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.stored import described
from runtime.saga.wait import Wait
from runtime.saga.when import When
from runtime.store.memory import MemoryStore
from runtime.testing.transcript import SagaTranscript
from tests.unit.operate.rows import fill, row_of
from tests.unit.operate.test_account import CONTRACTS
from tests.unit.saga.shop import BILLED, PLACED, FirmOrderProcess, ShopProcess
from tests.unit.saga.test_first_of import begun as alternatives
from tests.unit.saga.test_nodes import bill, close, saga
from tests.unit.saga.test_repair import close_stuck, pivot_stuck, undo_stuck


def broken(state: OrderProcessState) -> bool:
    raise KeyError(state.order_id)


def never(state: OrderProcessState) -> datetime:
    return datetime.now(UTC) if broken(state) else datetime.max


def unready(state: OrderProcessState) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=str(broken(state)))


def past_pivot(part: Part, **others: Part) -> tuple[SagaTranscript, SagaShape]:
    """The pivot has passed, and `part` comes next, whose function raises."""
    paid = replace(bill(), pivot=True, undo=None, undone=())
    made = saga(bill=paid, part=part, **others, flow=paid >> part)
    return SagaTranscript(made).given(PLACED).given(BILLED).expect_status("stuck"), shape(made)


def shape(made: type[Saga[OrderProcessState]]) -> SagaShape:
    return described(made.definition).shape


def at_a_step() -> tuple[SagaTranscript, SagaShape]:
    return past_pivot(Step(unready, OrderReadyToShip, timeout=30))


def at_a_wait() -> tuple[SagaTranscript, SagaShape]:
    return past_pivot(Wait(until=never))


def at_a_choice() -> tuple[SagaTranscript, SagaShape]:
    last = close()
    return past_pivot(When(broken, then=last), last=last)


STUCK: dict[str, tuple[Callable[[], tuple[SagaTranscript, SagaShape]], set[str]]] = {
    "a step past the pivot that cannot be asked": (at_a_step, {"retry", "mark-done", "skip"}),
    "a wait past the pivot without an instant": (at_a_wait, {"retry", "mark-done", "skip"}),
    "a choice past the pivot": (at_a_choice, {"retry"}),
    "an undo": (lambda: (undo_stuck(), shape(ShopProcess)), {"retry", "mark-undone", "skip"}),
    "a step past the pivot that is silent": (
        lambda: (close_stuck(), shape(ShopProcess)),
        {"retry", "mark-done", "skip", "force"},
    ),
    "a pivot in doubt": (
        lambda: (pivot_stuck(), shape(FirmOrderProcess)),
        {"retry", "mark-done", "mark-undone", "force"},
    ),
}


@pytest.mark.parametrize("at", STUCK)
def test_what_is_offered_of_a_stuck_saga_is_all_that_it_takes(at: str) -> None:
    stuck, wanted = STUCK[at]
    story, definition = stuck()
    offered = [one for one in acts_for(story.record, definition) if not one.timer]
    assert {one.act for one in offered} == {*wanted, "suspend", "abandon"}
    for one in offered:
        story, _ = stuck()
        act = RepairSaga.Act.Value(one.act.upper().replace("-", "_"))
        story.given_act(RepairSaga(act=act, task=one.task))
        assert not [sent for sent in story.sent if isinstance(sent.message, RepairRefused)], one


def test_no_cancellation_is_offered_while_a_pivot_without_an_undo_is_under_way() -> None:
    story, definition = SagaTranscript(FirmOrderProcess).given(PLACED), shape(FirmOrderProcess)
    assert "cancel" in [one.act for one in acts_for(story.record, definition)]
    story.given(BILLED)
    assert "cancel" not in [one.act for one in acts_for(story.record, definition)]


async def test_what_is_owed_within_a_part_is_told_once_and_by_whom_it_is_tried(store: MemoryStore) -> None:
    story = alternatives().given(BILLED).given_cancellation()
    assert list(owed(story.record)) == ["undo of pay[bill] at billing/ORD-1"]
    await fill(store, row_of(story.record))
    (account,) = await accounts(store, CONTRACTS, "ORD-1", kind="order-process")
    undos = [line for line in account.waits_for if "undo" in line]
    assert len(undos) == 1 and undos[0].startswith("billing/ORD-1 to confirm the undo of 'pay[bill]'"), undos
