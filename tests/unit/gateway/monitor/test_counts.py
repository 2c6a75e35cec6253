"""Metrics of what goes wrong: refused and unknown commits, peers without a stream, and what sagas owe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.errors import CommitUnknown
from runtime.host import Node
from runtime.saga.view import Phase
from runtime.store.groups import Unit
from runtime.store.records import Expected, NodeRow, Transition, Verdict
from tests.unit.gateway.monitor.test_on_node import CutOffStore, WatchedNode, watched
from tests.unit.operate.rows import SAGA, fill, mail, saga
from tests.unit.saga.records import task_in


def bill(key: str) -> BillOrder:
    return BillOrder(order_id=key, amount_cents=100)


async def test_a_turn_that_another_node_has_overtaken_counts_as_a_conflict() -> None:
    async with watched() as one:
        await one.node.client.ask(bill("ORD-1"), timeout=10.0)
        assert await one.metric("amends_conflicts_total") == 0.0
        (row,) = await one.store.load([("billing", "ORD-1")])
        assert row is not None
        newer = replace(row, revision=row.revision + 1, last_id=b"x" * 16)
        overtaking = Transition(actor=newer, expected=Expected(row.revision, row.last_id))
        assert await one.store.commit([overtaking]) == [Verdict.COMMITTED]
        await one.node.client.ask(bill("ORD-1"), timeout=10.0)
        assert await one.metric("amends_conflicts_total") == 1.0
        assert await one.metric("amends_commits_unknown_total") == 0.0


class ForgetfulStore(CutOffStore):
    """A store whose answer to the next commit is lost, though the commit is written."""

    loses_next = False

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        verdicts = await super().commit(batch)
        if self.loses_next:
            self.loses_next = False
            raise CommitUnknown("the answer was lost")
        return verdicts


async def test_a_commit_whose_answer_is_lost_counts_as_unknown_and_is_settled() -> None:
    ports = system_ports()
    store = ForgetfulStore(ports)
    async with watched(store) as one:
        store.loses_next = True
        await one.node.client.ask(bill("ORD-1"), timeout=10.0)
        assert await one.metric("amends_commits_unknown_total") == 1.0
        assert await one.metric("amends_commits_failed_total") == 0.0
        assert await one.metric("amends_turns_total", kind="billing") == 1.0


async def _until(one: WatchedNode, name: str, **labels: str) -> None:
    """Orders come, each to a shard of its own, until the metric is above 0."""
    number = 0
    while not await one.metric(name, **labels):
        number += 1
        await one.node.client.send(bill(f"ORD-{number}"), timeout=10.0)


async def test_a_peer_is_connected_and_what_it_is_sent_is_counted() -> None:
    async with watched() as one:
        settings = Settings(listen="127.0.0.1:0", name="two", lease_s=0.6, renew_s=0.1, sweep_s=0.1)
        two = Node(settings, catalogue(), system_ports(), store=one.store)
        await two.start()
        try:
            await _until(one, "amends_peer_connected", peer="two")
            await _until(one, "amends_peer_sent_total", peer="two")
            assert await one.metric("amends_peer_queued", peer="two") is not None
            assert await one.metric("amends_nodes") == 2.0
        finally:
            await two.stop()
        while await one.metric("amends_peer_connected", peer="two") is not None:
            await asyncio.sleep(0.02)


async def test_what_a_peer_without_a_stream_is_not_pushed_is_counted() -> None:
    async with watched() as one:
        ghost = NodeRow("ghost", "1", "127.0.0.1:1", ("billing",), "0")
        assert await one.store.join(ghost, lease_s=60.0) is None
        for row in (await one.store.cluster()).shards:
            if row.kind == "billing":
                await one.store.assign("billing", row.shard, owner="ghost", expected_epoch=row.epoch)
        await _until(one, "amends_peer_shed_total", peer="ghost")
        assert await one.metric("amends_peer_connected", peer="ghost") == 0.0
        assert await one.metric("amends_peer_sent_total", peer="ghost") == 0.0
        await one.store.leave("ghost", "1")


async def test_a_node_tells_what_all_sagas_of_its_store_owe() -> None:
    async with watched() as one:
        owing = saga("OLD", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),), kind="order-process")
        await fill(one.store, owing, saga("LOST", tasks=(task_in(Phase.UNKNOWN, "ship"),)))
        await fill(one.store, mail(7, kind="billing", parked="torn"))
        for name in ("undos_owed", "outcomes_unknown"):
            assert await one.metric(f"amends_{name}", kind="order-process") == 1.0
        for name in ("undo_owed", "outcome_unknown"):
            assert (await one.metric(f"amends_{name}_oldest_seconds", kind="order-process") or 0.0) > 1e9
        assert await one.metric("amends_sagas", kind="order-process", status="stuck") == 1.0
        assert await one.metric("amends_dead_letters", kind="billing") == 1.0
        assert await one.metric("amends_store_read_seconds_count") == 1.0, "it was read for each asker"
