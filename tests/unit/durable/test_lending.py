"""Who runs an instance whose version its owner lacks, and until when."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from protos.billing_pb2 import OrderBilled
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durable.kind import Limits, MessageParked
from runtime.durable.region.router import PushRejected
from runtime.durable.residence.lending import ActorLent
from runtime.durable.turn.unhandled import MessagePutOff
from runtime.envelope import Envelope
from runtime.protos import mesh_pb2
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.saga import Saga
from runtime.store.records import ClusterView, NodeRow
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.test_put_off import ADDRESS, Newer, begun, instance, tell
from tests.unit.saga.shop import ShopProcess

WHERE = "order-process/ORD-1"


def other(name: str, saga: type[Saga[Any]] = ShopProcess, *, incarnation: str = "1", hosts: bool = True) -> NodeRow:
    return NodeRow(
        name,
        incarnation,
        "127.0.0.1:1",
        (saga.kind,) if hosts else (),
        "0",
        lease_until_s=9e9,
        carries=SagaBehaviour(saga).carries,
    )


class Wires:
    """The links of a node that note what goes out, and owners that are all this node."""

    def __init__(self, local: LocalNode) -> None:
        self.local = local
        self.sent: list[tuple[str, str, str]] = []  # node, address, who died
        self.deaf: set[str] = set()
        self.gaps = 0  # how often all others were told to read their mail first
        local.router.connect(self, self)

    def learn(self, *nodes: NodeRow) -> None:
        self.local.shards.on_view(ClusterView(now_s=0.0, nodes=nodes))

    def asked(self) -> list[str]:
        """Those asked since the last look."""
        sent, self.sent = self.sent, []
        return [node for node, _, _ in sent]

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        if node in self.deaf:
            return False
        self.sent.append((node, signal.lend.address, signal.lend.died))
        return True

    def push(self, node: str, encoded: bytes) -> bool:
        return False

    def request_resync(self, node: str) -> None: ...

    def request_resync_everywhere(self) -> None:
        self.gaps += 1

    def owner_of(self, kind: str, shard: int) -> str | None:
        return "node"

    def lease_is_sure(self) -> bool:
        return True


def with_an_older_instance(
    scenario: Callable[[LocalNode, Wires], Coroutine[Any, Any, None]], limits: Limits | None = None
) -> None:
    async def run() -> None:
        local = await begun(limits)
        await scenario(local, Wires(local))
        await local.stop()

    in_virtual_time(run)


def test_a_node_that_has_its_version_is_woken_for_as_long_as_something_waits() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("node", Newer), other("two"), other("three", Newer))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(10)
        assert len(wires.sent) > 3 and set(wires.sent) == {("two", WHERE, "")}
        assert [fact.to for fact in local.facts if isinstance(fact, ActorLent)] == ["two"]
        assert not local.facts_of(MessagePutOff)
        (row,) = await local.mail(*ADDRESS)
        assert (row.attempts, row.due_at_s) == (0, 0.0)

    with_an_older_instance(scenario)


def test_who_leaves_or_has_another_version_is_not_asked_and_the_mail_is_put_off() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("node", Newer), other("two", hosts=False), other("three", Newer))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(10)
        assert not wires.sent and local.facts_of(MessagePutOff)

    with_an_older_instance(scenario)


def test_one_that_had_it_keeps_it_while_it_is_there_and_its_end_is_told_to_the_next() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("b"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(3)
        assert set(wires.asked()) == {"b"}
        wires.learn(*(other(name) for name in "abcdefgh"))
        await local.sleep(5)
        assert set(wires.asked()) == {"b"}
        wires.learn(*(other(name) for name in "acdefgh"))
        await local.sleep(5)
        assert {(address, died) for _, address, died in wires.sent} == {(WHERE, "b@1")}
        assert len(set(wires.asked())) == 1

    with_an_older_instance(scenario)


def test_a_node_of_the_same_name_that_was_started_again_is_another() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("b"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(3)
        wires.learn(other("b", incarnation="2"))
        wires.asked()
        await local.sleep(3)
        assert set(wires.sent) == {("b", WHERE, "b@1")}

    with_an_older_instance(scenario)


def test_one_that_drains_gives_it_to_the_next_and_nobody_has_died() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("b"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(3)
        wires.asked()
        wires.learn(other("b", hosts=False), other("c"))
        await local.sleep(3)
        assert set(wires.sent) == {("c", WHERE, "")}

    with_an_older_instance(scenario)


def test_a_member_that_cannot_be_reached_is_given_up_for_another_in_the_end() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("b"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(2)
        wires.deaf.add("b")
        wires.learn(other("b"), other("c"))
        wires.asked()
        await local.sleep(3)
        assert not wires.asked(), (
            "a message that ends its node would have run on two before the first is known to be gone"
        )
        await local.sleep(120)
        assert set(wires.sent) == {("c", WHERE, "")}

    with_an_older_instance(scenario)


def test_the_only_node_that_has_its_version_is_tried_until_it_hears() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("b"))
        wires.deaf.add("b")
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(300)
        assert not wires.asked() and local.facts_of(MessagePutOff)
        wires.deaf.clear()
        await local.sleep(70)
        assert set(wires.sent) == {("b", WHERE, "")}

    with_an_older_instance(scenario)


def test_a_carrier_that_never_takes_it_delays_the_dead_letter_no_longer_than_is_set() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("two"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(30)
        assert not local.facts_of(MessageParked)
        await local.sleep(40)
        (fact,) = local.facts_of(MessageParked)
        assert "another version" in str(fact)

    with_an_older_instance(scenario, Limits(version_wait_s=60.0))


def test_a_guest_is_run_by_a_node_that_owns_nothing_with_its_mail_in_order_and_its_timers() -> None:
    async def scenario() -> None:
        local = await instance(ShopProcess)
        await local.send(OrderPlaced(order_id="ORD-1", amount_cents=1), kind=ADDRESS[0])
        await local.stop()
        host = await LocalNode([SagaBehaviour(ShopProcess)], local.store).start(owning=False)
        Wires(host)
        before = await host.row(*ADDRESS)
        await tell(host, 1, OrderBilled(order_id="ORD-1"))
        await tell(host, 2, ShippingLabelCreated(order_id="ORD-1"))
        await host.sleep(5)
        assert len(await host.mail(*ADDRESS)) == 2, "it looks for nothing by itself"
        lend(host)
        await host.sleep(1)
        assert not await host.mail(*ADDRESS)
        handled = [row for row in await host.store.conversation(b"T" * 16) if row.kind == ADDRESS[0]]
        assert [row.id[-1] for row in handled] == [1, 2]
        assert before.due_at_s is not None
        for _ in range(40):  # the owner asks while the step's timer is overdue
            await host.sleep(1)
            lend(host)
        after = SagaRecord.FromString((await host.row(*ADDRESS)).state)
        assert after.status == SagaRecord.COMPENSATING, "its step has timed out"
        await host.stop()

    in_virtual_time(scenario)


def test_who_lacks_its_version_too_lends_it_to_nobody_and_leaves_its_mail_alone() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        host = await LocalNode([SagaBehaviour(Newer)], local.store).start(owning=False)
        wires = Wires(host)
        wires.learn(other("two"))
        await local.stop()
        await tell(host, 1, OrderBilled(order_id="ORD-1"))
        for _ in range(5):
            lend(host)
            await host.sleep(1)
        assert not wires.sent and not host.facts_of(MessagePutOff)
        (row,) = await host.mail(*ADDRESS)
        assert row.due_at_s == 0.0
        await host.stop()

    with_an_older_instance(scenario)


def test_what_a_node_has_died_over_as_a_guest_runs_alone_and_is_noted() -> None:
    async def scenario(local: LocalNode, _: Wires) -> None:
        await local.stop()
        host = await LocalNode([SagaBehaviour(ShopProcess)], local.store).start(owning=False)
        Wires(host)
        await tell(host, 1, OrderBilled(order_id="ORD-1"))
        lend(host, died="two@1")
        await host.sleep(2)
        rows = [row for row in await host.store.conversation(b"T" * 16) if row.kind == ADDRESS[0]]
        assert [row.sender for row in rows if row.type == "trial"] == ["node/two@1"]
        assert not await host.mail(*ADDRESS)
        await host.stop()

    with_an_older_instance(scenario)


def test_what_only_another_version_is_begun_by_is_lent_to_a_node_that_says_so() -> None:
    async def scenario() -> None:
        local = await instance(Newer)
        wires = Wires(local)
        starter = other("two")
        wires.learn(starter, other("three", Newer))
        await tell(local, 1, ShippingLabelCreated(order_id="ORD-1"), "shop.OrderReopened")
        await local.sleep(3)
        assert not wires.asked() and local.facts_of(MessagePutOff)
        begins = (*starter.carries, "order-process<shop.OrderReopened")
        row = NodeRow("four", "1", "127.0.0.1:1", ("order-process",), "0", carries=begins)
        wires.learn(starter, row)
        await local.sleep(10)
        assert set(wires.sent) == {("four", WHERE, "")}
        await local.stop()

    in_virtual_time(scenario)


def test_an_address_that_is_none_is_told_and_nothing_else_happens() -> None:
    async def scenario() -> None:
        local = await instance(Newer)
        local.router.on_signals("two", [mesh_pb2.Signal(lend=mesh_pb2.Lend(address="nonsense"))])
        local.router.on_signals("two", [mesh_pb2.Signal(lend=mesh_pb2.Lend(address="trip/T-1"))])
        await local.sleep(1)
        (fact,) = local.facts_of(PushRejected)
        assert "nonsense" in str(fact)
        await local.stop()

    in_virtual_time(scenario)


def test_a_node_lends_nothing_to_itself_whatever_its_own_row_says() -> None:
    async def scenario(local: LocalNode, wires: Wires) -> None:
        wires.learn(other("node"))
        await tell(local, 1, OrderBilled(order_id="ORD-1"))
        await local.sleep(5)
        assert not wires.sent and local.facts_of(MessagePutOff)

    with_an_older_instance(scenario)


def as_guest(scenario: Callable[[LocalNode, Wires], Coroutine[Any, Any, None]]) -> None:
    """At a node that has the version of ORD-1, and owns nothing."""

    async def run(local: LocalNode, _: Wires) -> None:
        await local.stop()
        host = await LocalNode([SagaBehaviour(ShopProcess)], local.store).start(owning=False)
        await scenario(host, Wires(host))
        await host.stop()

    with_an_older_instance(run)


def test_who_takes_in_a_guest_has_all_mail_read_first_and_only_then() -> None:
    async def scenario(host: LocalNode, wires: Wires) -> None:
        for number in (1, 2):
            await tell(host, number, OrderBilled(order_id="ORD-1"))
            lend(host)
            await host.sleep(1)
            assert (wires.gaps, await host.mail(*ADDRESS)) == (1, [])

    as_guest(scenario)


def test_a_guest_for_whom_nobody_asks_any_more_is_forgotten() -> None:
    async def scenario(host: LocalNode, wires: Wires) -> None:
        lend(host)
        await host.sleep(1)
        guests = host.shards.sweepers[ADDRESS[0]].residents.guests
        assert ADDRESS in guests
        await host.sleep(4 * host.limits.idle_s)
        assert ADDRESS not in guests

    as_guest(scenario)


def test_a_guest_whose_shard_this_node_has_had_itself_is_none_when_it_gives_that_up() -> None:
    async def scenario(host: LocalNode, wires: Wires) -> None:
        lend(host)
        await host.sleep(1)
        shards = frozenset(range(host.limits.shards_per_kind))
        await host.shards.take_over(ADDRESS[0], shards)
        await host.shards.release(ADDRESS[0], shards)
        assert ADDRESS not in host.shards.sweepers[ADDRESS[0]].residents.guests
        await tell(host, 1, OrderBilled(order_id="ORD-1"))
        await host.sleep(3)
        assert len(await host.mail(*ADDRESS)) == 1

    as_guest(scenario)


def test_a_guests_timer_that_is_declined_comes_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(host: LocalNode, wires: Wires) -> None:
        row = await host.row(*ADDRESS)
        assert row.due_at_s is not None
        await host.sleep(row.due_at_s - host.ports.clock.now_s() - 1.0)
        residents = host.shards.sweepers[ADDRESS[0]].residents
        deliver, declined = residents.deliver, 0

        def declines(envelope: Envelope, shard: int, **rest: Any) -> bool:
            nonlocal declined
            if envelope.timer and declined < 3:
                declined += 1
                return False
            return deliver(envelope, shard, **rest)

        monkeypatch.setattr(residents, "deliver", declines)
        lend(host)
        await host.sleep(3)
        record = SagaRecord.FromString((await host.row(*ADDRESS)).state)
        assert (declined, record.status) == (3, SagaRecord.COMPENSATING)

    as_guest(scenario)


def lend(host: LocalNode, *, died: str = "") -> None:
    host.router.on_signals("owner", [mesh_pb2.Signal(lend=mesh_pb2.Lend(address=WHERE, died=died))])
