"""What the simulator says of leases, streams, small limits and forgetting: it speaks up, and only where it should."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.catalogue import catalogue
from actors.gateway import _restock_id
from runtime.adapters import ignore
from runtime.failpoints import Failpoint
from runtime.mesh.frame_stream import MeshSettings
from runtime.store.records import ActorRow, HistoryRow, MailRow, Outcome, Transition
from runtime.testing.conformance.samples import history_row
from runtime.testing.rules.lease_rule import broken_lease
from runtime.testing.rules.ledger import Ledger
from runtime.testing.rules.limits import SmallLimits, draw_small
from runtime.testing.virtual.clock import EPOCH_S
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.virtual.machine import machine_ports
from runtime.testing.world.ambush import Ambush
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.database import Database
from runtime.testing.world.node import NodeSpec
from runtime.testing.world.store_faults import StoreFaults
from tests.proof.mutants.hunt import hunt
from tests.proof.mutants.hunters import Simulated
from tests.proof.mutants.mutant import Edit, Mutant
from tests.proof.workloads.orders import Orders

_SETTINGS = {"store": "memory:", "shards_per_kind": 2, "drain_s": 3.0}
_UP_S = 3.0


def run(scenario: Callable[[SimCluster], Coroutine[Any, Any, None]], small: SmallLimits | None = None) -> None:
    """Two nodes that are up, under whatever the scenario does to them."""
    loop = SimLoop(Dice(1))
    nodes = [NodeSpec("one"), NodeSpec("two")]
    cluster = SimCluster(loop, Dice(1), catalogue(), nodes, settings=_SETTINGS, faults=StoreFaults(), small=small)

    async def all_of_it() -> None:
        cluster.start()
        await cluster.sleep(_UP_S)
        await scenario(cluster)

    try:
        loop.run_until_complete(loop.create_task(all_of_it()))
    finally:
        for node in cluster.nodes:
            node.retire()
            node.clean_up()
        loop.clean_up()


def _said(cluster: SimCluster) -> list[str]:
    node = cluster.nodes[0].node
    assert node is not None
    if not cluster.database.leases_count:
        return []
    return [one.what for one in broken_lease(node, cluster.database.members, is_alone=True)]


def test_a_node_that_holds_its_lease_may_begin_a_turn() -> None:
    async def scenario(cluster: SimCluster) -> None:
        assert _said(cluster) == []

    run(scenario)


def test_a_node_that_is_sure_of_a_lease_that_the_store_has_ended_is_seen() -> None:
    async def scenario(cluster: SimCluster) -> None:
        cluster.database.clock.jump(60.0)
        assert "after its lease ran out" in _said(cluster)[0]
        cluster.database.clock_has_jumped = True
        assert _said(cluster) == [], "leases are no measure once the store's own clock has jumped"

    run(scenario)


def test_a_node_that_is_sure_of_its_lease_though_it_was_evicted_is_seen() -> None:
    async def scenario(cluster: SimCluster) -> None:
        node = cluster.nodes[0].node
        assert node is not None
        cluster.database.act(cluster.database.rows.leave(node.name, node.incarnation))
        assert "though it has been evicted" in _said(cluster)[0]

    run(scenario)


def test_a_frozen_node_is_not_sure_of_its_lease_when_it_wakes() -> None:
    async def scenario(cluster: SimCluster) -> None:
        one = cluster.nodes[0]
        one.freeze()
        await cluster.sleep(10.0)
        assert _said(cluster) == [], "it has no lease, and knows it"

    run(scenario)


def test_a_node_is_frozen_at_a_failpoint_and_goes_on_after_a_while() -> None:
    async def scenario(cluster: SimCluster) -> None:
        cluster.ambushes.arm(Ambush(Failpoint.RENEWAL_ASKED, freeze_s=2.0))
        await cluster.sleep(1.0)
        (frozen,) = [node for node in cluster.nodes if node.frozen]
        await cluster.sleep(5.0)
        assert not frozen.frozen and frozen.serves and frozen.lives == 1
        assert cluster.happened["frozen at a failpoint"] == 1

    run(scenario)


def test_nodes_without_a_stream_are_named_until_they_have_one() -> None:
    async def scenario(cluster: SimCluster) -> None:
        assert cluster.without_stream == []
        one, two = cluster.nodes
        cluster.network.cut(one.address, two.address)
        assert cluster.without_stream == [("one", "two"), ("two", "one")]
        cluster.network.join(one.address, two.address)
        await cluster.sleep(30.0)
        assert cluster.without_stream == []

    run(scenario)


def test_small_limits_reach_the_nodes() -> None:
    async def scenario(cluster: SimCluster) -> None:
        node = cluster.nodes[0].node
        assert node is not None
        assert {sweeper.rows_max for sweeper in node.shards.sweepers.values()} == {3}
        assert {sweeper.reach_max for sweeper in node.shards.sweepers.values()} == {3}
        assert node.mesh.settings.frame_messages_max == 4

    run(scenario, SmallLimits(MeshSettings(frame_messages_max=4), sweep_rows_max=3))


def test_some_seeds_draw_each_small_limit_and_most_draw_none() -> None:
    drawn = [draw_small(Dice(seed)) for seed in range(100)]
    assert {one.sweep_rows_max for one in drawn} == {None, 3, 4, 8}
    assert {one.links.frame_messages_max for one in drawn} == {512, 3, 4, 8}
    assert len({one.links.window_bytes for one in drawn}) == 4
    assert sum(one == SmallLimits() for one in drawn) > 30


def _row(due_at_s: float | None) -> ActorRow:
    return ActorRow("k", "x", 0, 1, b"m" * 16, b"c" * 16, "", b"", b"", due_at_s, 1.0)


@pytest.mark.parametrize("waits", ["mail", "timer", "nothing"])
def test_a_conversation_that_is_forgotten_while_something_of_it_waits_is_seen(waits: str) -> None:
    ledger = Ledger()
    if waits == "mail":
        ledger.waiting[b"m"] = MailRow("k", "x", 0, b"m" * 16, b"c" * 16, 1.0, 1, 0.0, 0, "", 0.0, b"")
    if waits == "timer":
        ledger.actors["k", "x"] = _row(9.0)
    ledger.forgot({b"c" * 16})
    assert [one.invariant for one in ledger.violations] == ([] if waits == "nothing" else ["I14"])


@pytest.mark.parametrize("early_s", [-1.0, 1.0])
def test_a_conversation_that_is_forgotten_before_it_is_old_is_seen(early_s: float) -> None:
    loop = SimLoop(Dice(1))
    ledger = Ledger()
    ledger.clocks_wrong_s = 2.0
    database = Database(loop, machine_ports(loop, None, Dice(1), ignore), ledger, lambda *_: None)
    database.retention_s = 100.0
    young_s = EPOCH_S + loop.time() - 0.95 * database.retention_s + ledger.clocks_wrong_s
    for number, at_s in enumerate((0.0, young_s + early_s)):  # what was handled last counts
        row = history_row(number, handled_at_s=at_s)
        database.commit("one", [Transition(history=(row,))])
    database.act(database.purge(handled_before_s=1e12, limit=9, after=b""))
    assert [one.invariant for one in ledger.violations] == (["I14"] if early_s > 0 else [])
    loop.clean_up()


def test_a_purge_of_the_simulated_database_is_held_against_the_ledger() -> None:
    loop = SimLoop(Dice(1))
    ledger = Ledger()
    database = Database(loop, machine_ports(loop, None, Dice(1), ignore), ledger, lambda *_: None)
    handled = HistoryRow(b"c" * 16, b"h" * 16, "k", "x", 0, 1, 1.0, Outcome.HANDLED, 1, "n", "", "t", "", b"", 1.0, b"")
    database.act(database.rows.commit([Transition(history=(handled,))]))
    assert database.rows.conversations == {b"c" * 16}
    ledger.waiting[b"m"] = MailRow("k", "x", 0, b"m" * 16, b"c" * 16, 1.0, 1, 0.0, 0, "", 0.0, b"")
    assert database.act(database.purge(handled_before_s=1e12, limit=9, after=b""))[0] == 1
    assert [one.invariant for one in ledger.violations] == ["I14"]
    loop.clean_up()


def test_an_id_of_a_request_that_leaves_out_the_stock_it_is_for_is_found_at_once() -> None:
    mutant = Mutant("request-id-without-its-sku", "", (Edit(_restock_id, "{request.sku}", ""),))
    found = hunt(mutant, {"orders": Simulated(Orders())}, range(20))
    assert found.found and {"I4", "I9"} & set(found.invariants)  # or the other's request is refused for ever
