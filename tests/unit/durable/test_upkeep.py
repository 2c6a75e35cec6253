"""History is forgotten by one node of the cluster, and no faster than time is lived through."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.billing import Billing
from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder
from runtime.durable.kind import Limits
from runtime.durable.region.upkeep import ClockOffPace
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.store.memory import MemoryStore
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time

DAY_S = 86_400.0
RETENTION_S = 7 * DAY_S
PERIOD_S = 30.0
LIMITS = Limits(shards_per_kind=1, sweep_s=30.0)


@dataclass
class Purges:
    """Counts who has a store forget, and lets it."""

    at_s: list[float] = field(default_factory=list)

    def count(self, cluster: Cluster) -> None:
        database = cluster.sim.database
        purge = database.purge

        def counted(**options: Any) -> Coroutine[Any, Any, tuple[int, bytes]]:
            self.at_s.append(asyncio.get_running_loop().time())
            return purge(**options)

        database.purge = counted  # type: ignore[method-assign]


async def _alone(store: MemoryStore | None = None, *, off_s: float = 0.0) -> LocalNode:
    """A node that starts when nobody else runs, with a clock that is wrong by so much."""
    node = LocalNode([ServiceBehaviour(Billing)], store, LIMITS)
    assert isinstance(node.ports.clock, VirtualClock)
    node.ports.clock.offset_s += off_s
    return await node.start()


def _jump(node: LocalNode, by_s: float) -> None:
    assert isinstance(node.ports.clock, VirtualClock)
    node.ports.clock.offset_s += by_s


async def _bill(node: LocalNode, number: int) -> None:
    await node.send(BillOrder(order_id=f"ORD-{number}", amount_cents=5))


def _remembered(node: LocalNode) -> int:
    return len(node.store.conversations)


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_however_many_nodes_and_kinds_there_are_one_of_them_forgets(nodes: int) -> None:
    async def scenario() -> None:
        async with Cluster(catalogue(), nodes=nodes) as cluster:
            purges = Purges()
            purges.count(cluster)
            await cluster.sim.sleep(10 * PERIOD_S)
            assert 9 <= len(purges.at_s) <= 11

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("kinds", [(["billing"], ["sales"]), (["warehouse", "billing"], ["sales", "orchestration"])])
def test_nodes_that_have_no_kind_in_common_do_not_both_forget(kinds: Sequence[list[str]]) -> None:
    async def scenario() -> None:
        nodes = {f"n-{number}": names for number, names in enumerate(kinds)}
        async with Cluster(catalogue(), nodes=nodes) as cluster:
            purges = Purges()
            purges.count(cluster)
            await cluster.sim.sleep(10 * PERIOD_S)
            assert 9 <= len(purges.at_s) <= 11

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(scenario())


def test_when_the_node_that_forgets_dies_another_goes_on() -> None:
    async def scenario() -> None:
        async with Cluster(catalogue(), nodes=3) as cluster:
            for name in ("node-1", "node-2"):
                cluster.kill(name)
                await cluster.advance(60.0)
                purges = Purges()
                purges.count(cluster)
                await cluster.sim.sleep(4 * PERIOD_S)
                assert 3 <= len(purges.at_s) <= 5

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("off_s", [8 * DAY_S, 365 * DAY_S])
def test_a_node_that_starts_alone_with_a_clock_days_ahead_forgets_nothing_and_says_so(off_s: float) -> None:
    async def scenario() -> None:
        right = await _alone()
        await _bill(right, 1)
        await right.sleep(100.0)
        await right.stop()
        wrong = await _alone(right.store, off_s=off_s)
        await _bill(wrong, 2)
        await wrong.sleep(DAY_S)
        assert _remembered(wrong) == 2
        [fact] = wrong.facts_of(ClockOffPace)
        assert isinstance(fact, ClockOffPace)
        assert off_s <= fact.ahead_s < off_s + 100.0
        await wrong.stop()
        again = await _alone(right.store)
        await again.sleep(5.5 * DAY_S)
        assert _remembered(again) == 2
        await again.stop()

    in_virtual_time(scenario)


def test_nothing_is_forgotten_before_the_last_who_may_repeat_it_is_refused() -> None:
    """A post that was let in just as its id grew too old is written within a minute."""

    async def scenario() -> None:
        node = await _alone()
        await node.sleep(PERIOD_S)
        await _bill(node, 1)
        await node.sleep(RETENTION_S + 55.0)
        assert _remembered(node) == 1
        await node.sleep(10 * PERIOD_S)
        assert _remembered(node) == 0
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("by_s", [8 * DAY_S, 365 * DAY_S])
def test_a_clock_that_jumps_days_ahead_forgets_nothing(by_s: float) -> None:
    async def scenario() -> None:
        node = await _alone()
        await _bill(node, 1)
        await node.sleep(100.0)
        _jump(node, by_s)
        await node.sleep(3600.0)
        _jump(node, -by_s)
        await node.sleep(6 * DAY_S)
        assert _remembered(node) == 1
        await node.stop()

    in_virtual_time(scenario)


def test_a_store_that_was_made_by_a_clock_days_ahead_is_not_misled_by_the_next_one() -> None:
    async def scenario() -> None:
        first = await _alone(off_s=8 * DAY_S)
        await first.sleep(100.0)
        await first.stop()
        right = await _alone(first.store)
        await _bill(right, 1)
        await right.sleep(100.0)
        await right.stop()
        third = await _alone(first.store, off_s=8 * DAY_S)
        await third.sleep(DAY_S)
        assert _remembered(third) == 1
        await third.stop()

    in_virtual_time(scenario)


def test_what_a_clock_days_behind_has_handled_is_kept_for_the_whole_retention() -> None:
    async def scenario() -> None:
        node = await _alone(off_s=-8 * DAY_S)
        await _bill(node, 1)
        await node.sleep(100.0)
        await node.stop()
        right = await _alone(node.store)
        await right.sleep(6 * DAY_S)
        assert _remembered(right) == 1
        await right.sleep(2 * DAY_S)
        assert _remembered(right) == 0
        await right.stop()

    in_virtual_time(scenario)


def test_history_is_forgotten_though_no_node_lives_as_long_as_the_retention() -> None:
    async def scenario() -> None:
        node = await _alone()
        await _bill(node, 1)
        for _ in range(8):
            await node.sleep(DAY_S)
            await node.stop()
            node = await _alone(node.store)
        await node.sleep(100.0)
        assert _remembered(node) == 0
        assert node.facts_of(ClockOffPace) == []
        await node.stop()

    in_virtual_time(scenario)


def test_a_pause_of_all_nodes_keeps_what_was_before_it_for_longer_and_nothing_else() -> None:
    async def scenario() -> None:
        node = await _alone()
        await _bill(node, 1)
        await node.sleep(DAY_S)
        await node.stop()
        await node.sleep(30 * DAY_S)  # nobody runs
        node = await _alone(node.store)
        await _bill(node, 2)
        await node.sleep(5.9 * DAY_S)
        assert _remembered(node) == 2
        await node.sleep(0.2 * DAY_S)
        assert _remembered(node) == 1
        await node.sleep(1.0 * DAY_S)
        assert _remembered(node) == 0
        await node.stop()

    in_virtual_time(scenario)
