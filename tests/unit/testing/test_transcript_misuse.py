"""A transcript that is told what cannot be says what is wrong, what there is instead, and how to go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from runtime.errors import InvalidMessage
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, PLACED, ShopProcess

Story = Callable[[SagaTranscript], object]


def begun() -> SagaTranscript:
    return SagaTranscript(ShopProcess).given(PLACED).expect(BillOrder)


MISUSES: list[tuple[Story, str]] = [
    (lambda story: story.command(RefundOrder), r"the saga has sent no RefundOrder; it has sent BillOrder"),
    (
        lambda story: story.command(BillOrder, key="ORD-9"),
        r"the saga has sent no BillOrder to key 'ORD-9'; it has sent",
    ),
    (
        lambda story: story.command(BillOrder, 1),
        r"has sent 1 BillOrder, counted from 0: there is none with the index 1",
    ),
    (lambda story: story.command(BillOrder, -2), r"there is none with the index -2"),
    (lambda story: story.step("bil"), r"the saga has no step 'bil'; there are bill, "),
    (lambda story: story.given_silence("ship"), r"no timer 'ship' is set, so that none could fire; there are: 'bill'"),
    (lambda story: story.given_probed(to=story.command(BillOrder)), r"to= is a BillOrder and no probe; name a probe"),
    (lambda story: story.given_probed(), r"the saga has sent no ProbeCommands; it has sent BillOrder"),
]


@pytest.mark.parametrize(("misuse", "why"), MISUSES, ids=[why[:40] for _, why in MISUSES])
def test_what_there_is_not_is_named_with_what_there_is(misuse: Story, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        misuse(begun())


@pytest.mark.parametrize(
    ("misuse", "why"),
    [
        (
            lambda story: story.given_fault(),
            r"no command that could be answered; it has sent nothing\. Begin it with given",
        ),
        (lambda story: story.given_nothing_to_undo(), r"Begin it with given\(EVENT\)"),
        (lambda story: story.given_silence(), r"no timer is set, so that none could fire; there are: none"),
        (lambda story: story.step("bill"), r"there are none: it has not begun; begin it with given\(EVENT\)"),
    ],
)
def test_before_it_has_begun_it_says_how_to_begin(misuse: Story, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        misuse(SagaTranscript(ShopProcess))


def test_an_event_that_the_saga_does_not_wait_for_is_refused_by_name() -> None:
    with pytest.raises(InvalidMessage, match=r"the saga waits for no shop\.OrderBilled; it waits for no event"):
        begun().given_outside(BILLED)
