"""A saga whose participant keeps failing: its start is put off, and its silence does not count."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderLine, OrderPlaced
from protos.warehouse_pb2 import BackOrdered
from runtime.errors import NotCarried
from runtime.ports import Fact
from runtime.saga.carrying import renames
from runtime.saga.pauses import TRIAL_S, ParticipantPaused, ParticipantResumed, Pauses
from runtime.saga.pausing import PausingSaga
from runtime.saga.saga import Saga
from runtime.saga.wait import Wait
from runtime.testing import SagaTranscript

_LINE = OrderLine(sku="CUP", quantity=2)
_BILLED = OrderBilled(order_id="ORD-1", charge_id="C-1", amount_cents=500, line=_LINE)


class PausingNode:
    """The pauses of one node, and what it has reported."""

    def __init__(self, after: int = 2) -> None:
        self.facts: list[Fact] = []
        self.pauses = Pauses(after, self.facts.append)

    def story(self, key: str = "ORD-1", now_s: float = 1_000.0) -> SagaTranscript:
        saga = SagaTranscript(PausingSaga(OrderProcess, self.pauses), key=key, now_s=now_s)
        return saga.given(OrderPlaced(order_id=key, line=_LINE, amount_cents=500))

    def pause(self) -> None:
        for number in (1, 2):
            self.pauses.failed("billing", f"OTHER-{number}", "no answer in time", 1_000.0)


def test_a_kind_is_paused_once_so_many_instances_in_a_row_have_failed_by_it() -> None:
    node = PausingNode()
    node.pauses.failed("billing", "ORD-1", "no", 1.0)
    node.pauses.failed("billing", "ORD-1", "no", 2.0)
    assert not node.pauses.paused(["billing"]), "one instance alone may be what is wrong"
    node.pauses.answered("billing", 3.0)
    node.pauses.failed("billing", "ORD-2", "no", 4.0)
    assert not node.pauses.paused(["billing"]), "an answer begins the count anew"
    node.pauses.failed("billing", "ORD-3", "no", 5.0)
    assert node.pauses.paused(["sales", "billing"]) == "billing"
    node.pauses.answered("billing", 9.0)
    assert node.facts == [ParticipantPaused("billing", 2, "no"), ParticipantResumed("billing", 4.0)]


def test_without_the_setting_no_kind_is_paused() -> None:
    node = PausingNode(after=0)
    node.pause()
    assert not node.pauses.paused(["billing"])


@pytest.mark.broken_by("new-sagas-begin-during-a-pause")
def test_s59_the_start_of_a_saga_is_put_off_but_for_one_trial_at_a_time() -> None:
    node = PausingNode()
    node.pause()
    with pytest.raises(NotCarried, match="billing keeps failing, and order-process needs it"):
        node.story()
    node.story("ORD-2", 1_000.0 + TRIAL_S).expect(BillOrder)
    with pytest.raises(NotCarried):
        node.story("ORD-3", 1_000.0 + TRIAL_S + 1.0)


def test_silence_of_a_paused_participant_turns_no_saga_back() -> None:
    node = PausingNode()
    story = node.story()
    node.pause()
    for _ in range(5):
        story.given_silence().expect().expect_ignored("billing keeps failing").expect_status("running")
    assert story.step("bill").do.attempts == 1


class RestedProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
    """The order process of a later build, in which billing has another place."""

    started_by = OrderProcess.started_by
    one, two, three, four = Wait(1), Wait(1), Wait(1), Wait(1)
    bill, ship, close = replace(OrderProcess.bill), replace(OrderProcess.ship), replace(OrderProcess.close)
    flow = one >> two >> three >> four >> bill >> ship >> close
    closing = OrderProcess.closing
    carries = MappingProxyType({OrderProcess: renames()})


def test_nor_does_it_turn_an_instance_back_that_an_older_build_has_begun() -> None:
    node = PausingNode()
    story = node.story()
    node.pause()
    later = SagaTranscript(PausingSaga(RestedProcess, node.pauses)).carrying_on(story)
    later.given_silence().expect().expect_ignored("billing keeps failing")
    node.pauses.answered("billing", later.now_s)
    later.given(_BILLED, to=story.command(BillOrder)).expect_status("running")
    assert later.step_status("bill") == "done"


def test_the_time_of_a_pause_is_no_silence() -> None:
    node = PausingNode()
    story = node.story()
    node.pause()
    story.given_silence().expect()
    node.pauses.answered("billing", story.now_s + 29.0)
    story.given_silence().expect().expect_status("running")
    story.given(_BILLED, to=story.command(BillOrder)).expect_status("running")
    assert story.step_status("bill") == "done"


def test_silence_after_a_pause_turns_back_when_the_time_of_the_step_has_passed_once_more() -> None:
    node = PausingNode()
    story = node.story()
    node.pause()
    story.given_silence().expect()
    node.pauses.answered("billing", story.now_s + 29.0)
    story.given_silence().expect()
    story.given_silence().expect(RefundOrder).expect_status("compensating")


def test_an_undo_that_faulted_is_asked_again_as_a_trial() -> None:
    node = PausingNode()
    story = node.story().given(_BILLED)
    story.given(BackOrdered(order_id="ORD-1", sku="CUP", quantity=2, on_hand=1)).expect(RefundOrder)
    story.given_fault()
    node.pause()
    story.given_silence().expect().expect_ignored("billing keeps failing")  # it is too soon for a trial
    story.given_silence().expect(RefundOrder)
    story.given(OrderRefunded(order_id="ORD-1")).expect(CancelOrder)


def test_what_is_paused_is_told_with_the_sagas_that_wait_for_it() -> None:
    node, told = PausingNode(), list[object]()
    PausingSaga(OrderProcess, node.pauses)
    node.pauses.on_change = lambda: told.append(node.pauses.told())
    node.pause()
    paused = ("billing", 1_000.0, "no answer in time", "order-process")
    assert told == [(paused,)]
    assert node.pauses.may_try("billing", 1_000.0 + TRIAL_S)
    assert told == [(paused,)] * 2, "what is told counts for a while, and is told anew with each trial"
    node.pauses.answered("billing", 1_020.0)
    assert told[2:] == [()]
