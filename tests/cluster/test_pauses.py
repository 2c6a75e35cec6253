"""A participant that keeps failing pauses new sagas that need it, and lets running ones wait."""

from __future__ import annotations

from typing import Any

import pytest

from actors.billing import Billing
from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.sales_pb2 import Flow, OrderLine, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked
from runtime import Catalogue, FinalError
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS

_ORDERS = 100
_LIMIT = 5
_UNLUCKY = 13
_NODES = {"shop": ["sales", "warehouse", "orchestration"], "till": ["billing"]}


async def statuses(cluster: Cluster) -> list[str]:
    return [await cluster.status("order-process", f"ORD-{number}") for number in range(_ORDERS)]


class BankDown(Billing, kind="billing"):
    """Gives up each bill of 13 cents. To refund it there is nothing to do."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        if command.amount_cents == _UNLUCKY:
            raise FinalError("the bank is down")
        return await super().bill(command)


async def place(cluster: Cluster, number: int, amount_cents: int = 500) -> None:
    line = OrderLine(sku="CUP", quantity=1)
    order = PlaceOrder(order_id=f"ORD-{number}", line=line, amount_cents=amount_cents, flow=Flow.ORCHESTRATION)
    await cluster.send(order, OrderPlaced)


@pytest.mark.broken_by("new-sagas-begin-during-a-pause")
async def test_s139_a_dead_participant_pauses_new_sagas_and_running_ones_wait(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=_NODES, settings={"pause_after": _LIMIT})
    await cluster.send(Restock(sku="CUP", quantity=1_000), Restocked)
    cluster.kill("till")
    for number in range(_ORDERS // 2):
        await place(cluster, number)
    await cluster.advance(60.0)  # the steps' time is over, and who does not wait turns back
    for number in range(_ORDERS // 2, _ORDERS):
        await place(cluster, number)
    await cluster.advance(600.0)
    told = await statuses(cluster)
    assert told.count("compensating") + told.count("compensated") <= _LIMIT
    assert told.count("none") > _ORDERS // 4, "new sagas wait unstarted"
    await cluster.restart("till")
    await cluster.at_rest()
    told = await statuses(cluster)
    assert told.count("compensated") <= _LIMIT
    assert told.count("completed") + told.count("compensated") == _ORDERS


async def test_a_participant_that_gives_up_each_command_is_paused_though_it_confirms_each_undo(
    make_cluster: MakeCluster,
) -> None:
    hosted: dict[str, Any] = {"sales": [Sales, OrderProcess], "billing": [BankDown], "warehouse": [Warehouse]}
    shop = Catalogue(contracts=CONTRACTS, services=hosted)
    cluster = await make_cluster(shop, nodes=1, settings={"pause_after": _LIMIT})
    await cluster.send(Restock(sku="CUP", quantity=1_000), Restocked)
    for number in range(40):
        await place(cluster, number, _UNLUCKY if number < 20 else 500)
        await cluster.advance(0.1)
    told = await statuses(cluster)
    assert _LIMIT <= told.count("compensated") <= _LIMIT + 1, "at most one more was a trial"
    assert told.count("running") == 0, "the others wait unstarted"
    await cluster.advance(3_600.0)
    told = await statuses(cluster)
    assert told.count("compensated") == 20, "of what was given up all is undone"
    assert "none" not in told[:40], "an answer to what it was asked for has ended the pause"


async def test_without_the_setting_each_saga_turns_back_by_itself(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=_NODES, settings={"pause_after": 0})
    await cluster.send(Restock(sku="CUP", quantity=1_000), Restocked)
    cluster.kill("till")
    for number in range(20):
        await place(cluster, number)
    await cluster.advance(60.0)
    await cluster.restart("till")
    await cluster.at_rest()
    told = [await cluster.status("order-process", f"ORD-{number}") for number in range(20)]
    assert told == ["compensated"] * 20
