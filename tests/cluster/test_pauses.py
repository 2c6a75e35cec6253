"""A participant that keeps failing pauses new sagas that need it, and lets running ones wait."""

from __future__ import annotations

import pytest

from actors.catalogue import catalogue
from protos.sales_pb2 import Flow, OrderLine, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster

_ORDERS = 100
_LIMIT = 5
_NODES = {"shop": ["sales", "warehouse", "orchestration"], "till": ["billing"]}


async def statuses(cluster: Cluster) -> list[str]:
    return [await cluster.status("order-process", f"ORD-{number}") for number in range(_ORDERS)]


async def place(cluster: Cluster, number: int) -> None:
    line = OrderLine(sku="CUP", quantity=1)
    order = PlaceOrder(order_id=f"ORD-{number}", line=line, amount_cents=500, flow=Flow.ORCHESTRATION)
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
