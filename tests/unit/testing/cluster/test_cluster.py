"""The cluster of a test: real nodes, virtual time, and a network that can be cut."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import pytest

from actors.catalogue import catalogue
from protos.billing_pb2 import BILLED, REFUNDED, BillOrder, BillState, OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import (
    CANCELLED,
    ORCHESTRATION,
    READY_TO_SHIP,
    CancelOrder,
    OrderLine,
    OrderPlaced,
    OrderState,
    PlaceOrder,
)
from protos.warehouse_pb2 import Restock, Restocked
from runtime.errors import InvalidSettings
from runtime.protos import saga_pb2
from runtime.testing.cluster.clients import CommandFailed
from runtime.testing.cluster.cluster import Cluster, NotAtRest
from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.fixtures import MakeCluster
from runtime.testing.rules.ledger import Violation
from runtime.testing.world.front import NodeDown

APART = {name: [name] for name in ("sales", "billing", "warehouse", "orchestration")}


def order(number: int = 1) -> PlaceOrder:
    line = OrderLine(sku="lamp", quantity=1)
    return PlaceOrder(order_id=f"ORD-{number}", line=line, amount_cents=100, flow=ORCHESTRATION)


async def stocked(cluster: Cluster) -> Cluster:
    await cluster.send(Restock(sku="lamp", quantity=9), Restocked)
    return cluster


async def ended(cluster: Cluster, number: int = 1) -> bool:
    return (await cluster.state("sales", f"ORD-{number}", OrderState)).status == READY_TO_SHIP


async def test_a_saga_runs_over_a_node_per_service(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=APART))
    placed = await cluster.send(order(), OrderPlaced, node="warehouse")
    assert placed.order_id == "ORD-1"
    await cluster.at_rest()
    assert await ended(cluster)
    assert await cluster.status("order-process", "ORD-1") == "completed"
    assert (await cluster.state("order-process", "ORD-1", OrderProcessState)).charge_id == "charge-ORD-1"
    assert (await cluster.state("billing", "ORD-1", BillState)).status == BILLED


async def test_a_conversation_is_told_as_text(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue()))
    await cluster.send(order(), OrderPlaced)
    await cluster.at_rest()
    lines = (await cluster.conversation("sales", "ORD-1")).splitlines()
    assert len(lines) == 8 and "client -> sales/ORD-1" in lines[0] and "OrderReadyToShip" in lines[-1]
    assert await cluster.conversation("sales", "ORD-2") == ""


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{}/cluster.db"])
async def test_a_kill_of_each_node_in_turn_loses_nothing(make_cluster: MakeCluster, store: str, tmp_path: Path) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=2, store=store.format(tmp_path)))
    for number, name in enumerate(("node-1", "node-2"), 1):
        await cluster.send(order(number), OrderPlaced, node=name)
        cluster.kill(name)
        with pytest.raises(NodeDown):
            await cluster.send(order(number), node=name)
        await cluster.at_rest()
        assert await ended(cluster, number)
        await cluster.restart(name)
    assert cluster.sim.happened["killed"] == 2


async def test_an_order_is_undone_when_the_warehouse_has_none(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=APART)
    await cluster.send(order(), OrderPlaced)
    await cluster.at_rest()
    assert (await cluster.state("sales", "ORD-1", OrderState)).status == CANCELLED
    assert await cluster.status("order-process", "ORD-1") == "compensated"


async def test_nodes_that_are_cut_apart_go_on_through_the_store(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=APART))
    cluster.cut("orchestration", "billing")
    await cluster.advance(1.0)
    began_s = cluster.now_s
    await cluster.send(order(1), OrderPlaced)
    await cluster.at_rest()
    assert await ended(cluster, 1)
    cut_s, began_s = cluster.now_s - began_s, cluster.now_s
    cluster.heal()
    await cluster.advance(10.0)
    began_s = cluster.now_s
    await cluster.send(order(2), OrderPlaced)
    await cluster.at_rest()
    assert await ended(cluster, 2)
    assert cut_s > 10 * (cluster.now_s - began_s), "by sweeping it takes longer than by a push"


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{}/cluster.db"])
async def test_a_frozen_node_is_taken_over_and_may_come_back(
    make_cluster: MakeCluster, store: str, tmp_path: Path
) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=2, store=store.format(tmp_path)))
    cluster.freeze("node-1")
    await cluster.send(order(), OrderPlaced, node="node-2")
    await cluster.at_rest()
    assert await ended(cluster)
    cluster.thaw("node-1")
    await cluster.advance(10.0)
    assert len(cluster.sim.serving) + len([node for node in cluster.sim.nodes if not node.alive]) == 2


async def test_a_node_that_is_stopped_hands_over(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=2))
    await cluster.stop("node-1")
    await cluster.send(order(), OrderPlaced)
    await cluster.at_rest()
    assert await ended(cluster)


async def test_minutes_cost_no_time_and_show_on_the_clock(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=1)
    began_s = cluster.now_s
    await asyncio.gather(cluster.advance(600.0), asyncio.sleep(300.0))
    assert cluster.now_s - began_s == 600.0


async def test_what_still_waits_is_named(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=APART))
    cluster.kill("billing")
    await cluster.send(order(), OrderPlaced)
    with pytest.raises(NotAtRest, match=r"mail for billing/ORD-1.*a timer of order-process/ORD-1"):
        await cluster.at_rest(within=5.0)
    await cluster.restart("billing")
    await cluster.at_rest()
    assert await ended(cluster)


async def test_another_answer_or_none_is_named(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=1)
    with pytest.raises(CommandFailed, match="PlaceOrder was answered with OrderPlaced, not OrderBilled"):
        await cluster.send(order(), OrderBilled)
    await cluster.at_rest()


async def test_a_saga_is_cancelled_by_kind_and_key(make_cluster: MakeCluster) -> None:
    cluster = await stocked(await make_cluster(catalogue(), nodes=APART))
    cluster.kill("billing")
    await cluster.send(order(), OrderPlaced)
    await cluster.advance(2.0)
    cancel = saga_pb2.CancelSaga(reason="changed my mind")
    await cluster.send(cancel, saga_pb2.CancelAccepted, kind="order-process", key="ORD-1", node="orchestration")
    await cluster.restart("billing")
    await cluster.at_rest()
    assert await cluster.status("order-process", "ORD-1") == "compensated"


async def test_a_command_that_is_part_of_a_choreography_is_heard_by_its_reactions(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue())
    bill = BillOrder(order_id="ORD-1", amount_cents=100, line=OrderLine(sku="lamp", quantity=1))
    await cluster.send(bill, OrderBilled, process="order-choreography")
    await cluster.at_rest()
    assert (await cluster.state("billing", "ORD-1", BillState)).status == REFUNDED, "there was no lamp"


async def test_a_command_that_is_part_of_no_choreography_reaches_no_reaction(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue())
    await cluster.send(BillOrder(order_id="ORD-1", amount_cents=100), OrderBilled)
    await cluster.at_rest()
    assert (await cluster.state("billing", "ORD-1", BillState)).status == BILLED


@pytest.mark.parametrize("process", ["order-coreography", "order-process", "billing"])
async def test_an_unknown_choreography_is_named_with_those_there_are(make_cluster: MakeCluster, process: str) -> None:
    cluster = await make_cluster(catalogue(), nodes=1)
    with pytest.raises(InvalidSettings, match=f"no choreography '{process}'; there are order-choreography"):
        await cluster.send(order(), process=process)


async def test_bad_nodes_are_refused(make_cluster: MakeCluster) -> None:
    with pytest.raises(InvalidSettings, match=r"nodes is a number from 1 on, .* not 0"):
        await make_cluster(catalogue(), nodes=0)
    with pytest.raises(InvalidSettings, match="there is no service 'nothing'"):
        await make_cluster(catalogue(), nodes={"x": ["nothing"]})
    with pytest.raises(InvalidSettings, match=r"what 'x' hosts has to be a list, as in \['hotels'\], not one text"):
        await make_cluster(catalogue(), nodes={"x": "hotels"})
    with pytest.raises(InvalidSettings, match=r"nodes is a number .* not \['x'\]"):
        await make_cluster(catalogue(), nodes=["x"])  # type: ignore[arg-type]  # as a mistake would have it


async def test_an_unknown_node_is_named_with_those_there_are(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    with pytest.raises(InvalidSettings, match="no node 'node-3'; there are node-1, node-2"):
        cluster.kill("node-3")


async def test_no_node_left_is_said_so(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=1)
    cluster.kill("node-1")
    with pytest.raises(AssertionError, match="no node serves"):
        await cluster.send(order())


async def test_another_loop_is_refused_with_the_cure() -> None:
    with pytest.raises(InvalidSettings, match="make_cluster"):
        Cluster(catalogue())


def test_a_cluster_needs_no_pytest() -> None:
    async def run() -> bool:
        async with Cluster(catalogue(), nodes=1) as cluster:
            await cluster.send(CancelOrder(order_id="ORD-1"))
            await cluster.at_rest()
            return True

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        assert runner.run(run())


def test_a_broken_promise_fails_whoever_closes_the_cluster() -> None:
    async def run() -> None:
        async with Cluster(catalogue(), nodes=1) as cluster:
            cluster.sim.ledger.violations.append(Violation("I8", "two owners"))

    with asyncio.Runner(loop_factory=ClusterLoop) as runner, pytest.raises(AssertionError, match="I8: two owners"):
        runner.run(run())


def test_nothing_of_a_killed_node_speaks_up_after_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    gc.collect()  # whatever other tests have left
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    async def run() -> None:
        async with Cluster(catalogue(), nodes=2) as cluster:
            await cluster.send(order(), OrderPlaced)
            cluster.kill("node-1")
            cluster.freeze("node-2")
            await cluster.advance(5.0)
            cluster.kill("node-2")

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(run())
    gc.collect()
    assert said == []
