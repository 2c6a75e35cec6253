"""A timer of a service fires in the conversation and the process of the message whose handling set it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState
from protos.sales_pb2 import (
    CancelOrder,
    MarkReadyToShip,
    OrderCancelled,
    OrderPlaced,
    OrderReadyToShip,
    OrderState,
    PlaceOrder,
)
from runtime.durable.service import Service
from runtime.durations import minutes
from runtime.observe.conversation import MessageStatus, read_conversation
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.catalogue import Catalogue
from runtime.store.port import Store
from runtime.store.records import ActorRow
from runtime.store.timer_conversations import live_conversations
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.cluster.test_published_events import PayShipping
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.deadlines import Deadlines
from tests.unit.durable.test_named_timers import AgendaService
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, saga

NODES = {"one": ("alpha", "beta"), "two": ("alpha", "beta")}
HALF_A_SECOND, IN_TIME = "-500", "-3000"  # after which beta answers


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/amends.db"


async def timed(cluster: Cluster, conversation: bytes) -> DeadlineRecord:
    return await cluster.state("timed-deadline", conversation.hex(), DeadlineRecord)


def store_of(cluster: Cluster) -> Store:
    node = cluster.sim.serving[0].node
    assert node is not None
    return node.store


async def row_of_beta(cluster: Cluster) -> ActorRow:
    (row,) = await store_of(cluster).load([("beta", "C-1")])
    assert row is not None
    return row


async def test_what_is_answered_by_a_timer_settles_the_conversation_in_which_it_was_set(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await make_cluster(Deadlines().catalogue, nodes=NODES, store=store)
    made = (await cluster.client().ask(pb.ChangeBeta(key="C-1", amount=-1))).conversation
    begun = (await cluster.client().ask(pb.ChangeAlpha(key="C-1", deed=HALF_A_SECOND))).conversation
    await cluster.at_rest(within=minutes(1))
    assert (await timed(cluster, begun)).status == DeadlineRecord.SETTLED
    told = [(one.short_type, one.status) for one in (await read_conversation(store_of(cluster), begun)).messages]
    assert ("ChangeBeta", MessageStatus.FIRED) in told
    assert [one.short_type for one in (await read_conversation(store_of(cluster), made)).messages] == ["ChangeBeta"]


async def test_the_timer_keeps_both_while_no_node_runs(make_cluster: MakeCluster, store: str) -> None:
    cluster = await make_cluster(Deadlines().catalogue, nodes=NODES, store=store)
    await cluster.client().ask(pb.ChangeBeta(key="C-1", amount=-1))
    begun = (await cluster.client().ask(pb.ChangeAlpha(key="C-1", deed=IN_TIME))).conversation
    await cluster.advance(1)
    row = await row_of_beta(cluster)
    assert live_conversations(row) == (row.conversation, begun)
    for name in NODES:
        cluster.kill(name)
        await cluster.restart(name)
    await cluster.at_rest(within=minutes(1))
    assert (await timed(cluster, begun)).status != DeadlineRecord.OVERDUE
    assert live_conversations(await row_of_beta(cluster)) == ()


async def test_s50_a_timer_is_moved_and_another_cancelled_in_one_commit(make_cluster: MakeCluster, store: str) -> None:
    catalogue = Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [AgendaService]})
    cluster = await make_cluster(catalogue, nodes=1, store=store)
    for amount in (0, 1):
        await cluster.client().ask(BillOrder(order_id="ORD-1", amount_cents=amount))
    await cluster.at_rest(within=minutes(2))
    assert sorted((await cluster.state("billing", "ORD-1", BillState)).reason.split()) == ["110", "140", "95"]


class Reminding(Service[OrderState], kind="sales"):
    """Says that an order is placed, and by a timer of its own that it is ready: each of these starts a saga."""

    async def place(self, command: PlaceOrder) -> OrderPlaced:
        self.set_timer("ready", 5.0, MarkReadyToShip(order_id=self.key))
        return OrderPlaced(order_id=self.key)

    async def ready(self, command: MarkReadyToShip) -> OrderReadyToShip:
        return OrderReadyToShip(order_id=self.key)

    async def cancel(self, command: CancelOrder) -> OrderCancelled:
        return OrderCancelled(order_id=self.key)


async def test_a_process_that_a_timer_starts_begins_a_conversation_of_its_own(
    make_cluster: MakeCluster, store: str
) -> None:
    first = bill()
    catalogue = Catalogue(
        contracts=CONTRACTS,
        services={**SERVICES, "sales": [Reminding], "orchestration": [saga(bill=first, flow=first), PayShipping]},
    )
    cluster = await make_cluster(catalogue, nodes=1, store=store)
    await cluster.client().ask(PlaceOrder(order_id="ORD-1"))
    await cluster.at_rest(within=minutes(2))
    assert await cluster.status("pay-shipping", "ORD-1") == "completed"
    one, other = [await cluster.client().read(kind, "ORD-1") for kind in ("process", "pay-shipping")]
    assert one is not None and other is not None and one.conversation != other.conversation
