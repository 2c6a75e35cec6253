"""A definition as a message: what its fingerprint follows, and what can be done with one that was stored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import Message

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from protos.billing_pb2 import OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, OrderReadyToShip
from runtime.durations import seconds
from runtime.errors import InvalidMessage
from runtime.protos.definition_pb2 import NodeShape, NodeTerms, SagaDefinition
from runtime.saga.definition import Definition
from runtime.saga.diagram import draw_saga
from runtime.saga.first_of import FirstOf
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.shape import fingerprint_of
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, parse_definition, read_back
from tests.unit.saga import test_awaits, test_each, test_first_of, test_publish
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess, begin, bill_order
from tests.unit.saga.test_awaits import waiting
from tests.unit.saga.test_nodes import choosing
from tests.unit.saga.test_working import PackingProcess

BILL = Step(
    do=bill_order, done=OrderBilled, refused=PaymentDeclined, timeout=seconds(9), no_undo="nothing to take back"
)


SAGAS = (
    *(OrderProcess, ShopProcess, FirmOrderProcess, PackingProcess, choosing(), choosing(otherwise=True)),
    *(test_each.saga(test_each.each()), test_each.saga(test_each.each(at_least=1))),
    test_first_of.saga(FirstOf(bill=test_first_of.billing(), ship=test_first_of.shipping())),
    *(test_awaits.waiting(), test_awaits.past_pivot(), test_publish.publishing()),
)


def fingerprint(step: Step) -> bytes:
    class OneStep(Saga[OrderProcessState], kind="one-step"):
        started_by = on(OrderPlaced, begin)
        bill = step
        flow = bill

    return OneStep.definition.fingerprint


@pytest.mark.parametrize(
    "step",
    [
        replace(BILL, ignores=OrderReadyToShip),
        replace(BILL, timeout=seconds(1)),
        replace(BILL, budget=Budget(asks_max=3)),
        replace(BILL, working=OrderReadyToShip, every=seconds(5)),
        replace(BILL, no_undo="for another reason"),
    ],
    ids=["an ignored answer", "a timeout", "a budget", "an answer that it is not finished", "a text"],
)
def test_s83_what_settles_nothing_is_no_part_of_the_fingerprint(step: Step) -> None:
    assert fingerprint(step) == fingerprint(BILL)


def test_s83_what_settles_a_step_is_part_of_the_fingerprint() -> None:
    others = [replace(BILL, refused=(PaymentDeclined, OrderReadyToShip)), replace(BILL, pivot=True, no_undo="")]
    assert len({fingerprint(one) for one in (BILL, *others)}) == 3


def test_the_fingerprint_is_a_digest_of_what_is_stored() -> None:
    for saga in catalogue().sagas:
        body = described(saga).SerializeToString(deterministic=True)
        assert fingerprint_of(parse_definition(body).shape) == saga.fingerprint


@pytest.mark.parametrize(
    "definition",
    [one.definition for one in (OrderProcess, ShopProcess, FirmOrderProcess, PackingProcess, choosing(), waiting())],
    ids=lambda one: one.title,
)
def test_a_stored_definition_is_drawn_like_the_one_that_was_stored(definition: Definition) -> None:
    body = described(definition).SerializeToString()
    assert draw_saga(read_back(parse_definition(body))) == draw_saga(definition)


def test_a_stored_definition_that_is_read_back_is_stored_as_it_was() -> None:
    first = described(OrderProcess.definition)
    assert fingerprint_of(first.shape) == read_back(first).fingerprint


def test_a_kind_of_node_that_only_a_newer_build_knows_is_told() -> None:
    stored = described(ShopProcess.definition)
    stored.shape.nodes.append(NodeShape(name="vote", kind="ballot"))
    stored.terms.nodes.append(NodeTerms())
    with pytest.raises(InvalidMessage, match="node vote is a ballot: this build is too old"):
        read_back(stored)


@pytest.mark.parametrize("stored", [b"\xff", SagaDefinition(shape=described(ShopProcess.definition).shape)])
def test_what_is_no_definition_is_refused(stored: bytes | Message) -> None:
    body = stored if isinstance(stored, bytes) else stored.SerializeToString()
    with pytest.raises(InvalidMessage, match="a stored definition cannot be read"):
        parse_definition(body)
