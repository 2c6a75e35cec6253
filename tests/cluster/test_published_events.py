"""Sagas on real nodes publish events that start others, in a conversation of their own."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, PaymentDeclined
from protos.sales_pb2 import OrderPlaced, OrderReadyToShip, PlaceOrder
from runtime.saga.catalogue import Catalogue
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_publish import publishing


def begin(event: OrderReadyToShip) -> BillState:
    return BillState(order_id=event.order_id, amount_cents=7)


def bill_shipping(state: BillState) -> BillOrder:
    return BillOrder(order_id="SHIPPING", amount_cents=state.amount_cents)


class PayShipping(Saga[BillState], kind="pay-shipping"):
    """Is started by what another saga publishes."""

    started_by = on(OrderReadyToShip, begin)
    pay = Step(bill_shipping, OrderBilled, PaymentDeclined, timeout=30, no_undo="it is a test")
    flow = pay


@pytest.mark.broken_by("published-event-stays-in-its-conversation")
async def test_s123_s6_an_event_of_one_saga_starts_another_in_a_conversation_of_its_own(
    make_cluster: MakeCluster,
) -> None:
    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    unstarted = {"process": (OrderReadyToShip,)}  # as an answer of sales it starts nothing; only as it is published
    catalogue = Catalogue(
        contracts=CONTRACTS, services={**services, "sagas": [publishing(), PayShipping]}, unstarted=unstarted
    )
    cluster: Cluster = await make_cluster(catalogue, nodes={"one": ("sales", "billing", "warehouse", "sagas")})
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("pay-shipping", "ORD-1") == "completed"
    one, other = [await cluster.client().read(kind, "ORD-1") for kind in ("process", "pay-shipping")]
    assert one is not None and other is not None and one.conversation != other.conversation
