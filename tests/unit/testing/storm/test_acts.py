"""What a storm does to a cluster, and that the cluster is the better for it when it is over."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.catalogue import catalogue
from runtime.saga.catalogue import Catalogue
from runtime.testing.rules.limits import draw_limits
from runtime.testing.storm.acts import ACTS, HAZARDS, Acts
from runtime.testing.storm.storm import Storm, draw_plan
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import NodeSpec
from runtime.testing.world.store_faults import StoreFaults
from tests.proof.workloads.upgrade import NextOrderProcess

_WHOLE, _IN_PART = 7, 1  # dice by which a roll-out reaches every node, and one of two

_SETTINGS = {"store": "memory:", "shards_per_kind": 2, "drain_s": 3.0}
_UP_S = 3.0  # within which two nodes have come up and shared the shards


def run(
    scenario: Callable[[SimCluster], Coroutine[Any, Any, None]], following: Callable[[], Catalogue] | None = None
) -> SimCluster:
    """Two nodes that are up, under whatever the scenario does to them. No exception may be left unhandled."""
    loop = SimLoop(Dice(1))
    nodes = [NodeSpec("one"), NodeSpec("two")]
    cluster = SimCluster(
        loop, Dice(1), catalogue(), nodes, settings=_SETTINGS, faults=StoreFaults(), next_catalogue=following
    )

    async def all_of_it() -> None:
        cluster.start()
        await cluster.sleep(_UP_S)
        await scenario(cluster)
        assert cluster.crashes == []

    try:
        loop.run_until_complete(loop.create_task(all_of_it()))
    finally:
        for node in (*cluster.nodes, *cluster.twins):
            node.retire()
            node.clean_up()
        loop.clean_up()
    return cluster


def test_a_twin_of_a_live_node_is_refused_again_and_again() -> None:
    async def scenario(cluster: SimCluster) -> None:
        one, _ = cluster.nodes
        twin = cluster.twin(one)
        twin.start()
        await cluster.sleep(5.0)
        assert one.serves and one.lives == 1
        assert twin.lives > 3 and not twin.serves
        twin.retire()
        await cluster.sleep(5.0)
        assert not twin.alive

    assert "is already named 'one'" in "\n".join(run(scenario).last)


def test_a_twin_takes_the_name_of_a_node_that_is_frozen_and_that_ends_by_itself_when_it_wakes() -> None:
    async def scenario(cluster: SimCluster) -> None:
        one, _ = cluster.nodes
        twin = cluster.twin(one)
        one.freeze()
        twin.start()
        await cluster.sleep(10.0)
        assert twin.serves
        one.stay_down()
        one.thaw()
        await cluster.sleep(5.0)
        assert not one.alive
        assert twin.serves

    run(scenario)


def test_a_roll_out_drains_one_node_after_the_other_and_each_comes_back_with_the_new_limits() -> None:
    """But for those that the workload has set."""
    seed = next(seed for seed in range(100) if {"mailbox_max", "idle_s"} <= draw_limits(Dice(seed)).keys())

    async def scenario(cluster: SimCluster) -> None:
        before = [node.node.settings for node in cluster.nodes if node.node is not None]
        Acts(cluster, Dice(seed), 10.0, pinned=("mailbox_max",)).roll_out()
        await cluster.sleep(1.0)
        assert [node.lives for node in cluster.nodes] == [2, 1]
        await cluster.sleep(15.0)
        assert [node.lives for node in cluster.nodes] == [2, 2]
        after = [node.node.settings for node in cluster.nodes if node.node is not None]
        for was, settings in zip(before, after, strict=True):
            assert settings.idle_s == 0.5 != was.idle_s
            assert settings.mailbox_max == was.mailbox_max

    assert run(scenario).happened["drained"] == 2


def test_a_roll_out_brings_the_next_version_node_by_node_and_the_next_roll_out_takes_it_back() -> None:
    async def scenario(cluster: SimCluster) -> None:
        Acts(cluster, Dice(_WHOLE), 10.0).roll_out()
        await cluster.sleep(1.0)
        assert [node.runs_version for node in cluster.nodes] == [1, 0]
        await cluster.sleep(15.0)
        assert [node.runs_version for node in cluster.nodes] == [1, 1]
        Acts(cluster, Dice(_WHOLE), 10.0).roll_out()
        await cluster.sleep(15.0)
        assert [node.runs_version for node in cluster.nodes] == [0, 0]

    made = []

    def following() -> Catalogue:
        made.append(catalogue(NextOrderProcess))
        return made[-1]

    assert run(scenario, following).happened["version rolled out"] == 2
    assert len(made) == 1


def test_a_roll_out_that_stops_half_way_leaves_both_versions_side_by_side() -> None:
    async def scenario(cluster: SimCluster) -> None:
        Acts(cluster, Dice(_IN_PART), 10.0).roll_out()
        await cluster.sleep(15.0)
        assert sorted(node.runs_version for node in cluster.nodes) == [0, 1]
        assert [node.lives for node in cluster.nodes] == [2, 2]

    happened = run(scenario, lambda: catalogue(NextOrderProcess)).happened
    assert (happened["version rolled out in part"], happened["version rolled out"]) == (1, 0)


def test_a_roll_out_where_there_is_but_one_version_changes_none() -> None:
    async def scenario(cluster: SimCluster) -> None:
        Acts(cluster, Dice(1), 10.0).roll_out()
        await cluster.sleep(15.0)
        assert [(node.lives, node.runs_version) for node in cluster.nodes] == [(2, 0), (2, 0)]

    assert run(scenario).happened["version rolled out"] == 0


def test_a_kind_that_an_operator_has_paused_takes_mail_again_when_all_is_healed() -> None:
    def paused(cluster: SimCluster) -> list[str]:
        running = [node.node for node in cluster.nodes if node.node is not None]
        return [kind for node in running for kind, one in node.shards.sweepers.items() if one.residents.paused]

    async def scenario(cluster: SimCluster) -> None:
        Acts(cluster, Dice(1), 10.0).pause()
        await cluster.sleep(0.001)
        assert len(paused(cluster)) == 1
        for node in cluster.nodes:
            node.resume()
        await cluster.sleep(0.001)
        assert paused(cluster) == []

    run(scenario)


def test_nobody_loses_a_lease_because_the_clock_of_the_store_jumps() -> None:
    async def scenario(cluster: SimCluster) -> None:
        for by_s in (40.0, -40.0) * 10:
            cluster.database.clock.jump(by_s)
            await cluster.sleep(0.37)
        assert cluster.facts["LeaseLost"] == 0
        cluster.database.clock.jump(40.0)
        cluster.database.heal()
        assert abs(cluster.database.clock.wrong_by_s) < 1e-6
        await cluster.sleep(5.0)
        assert all(node.serves and node.lives == 1 for node in cluster.nodes)

    run(scenario)


@pytest.mark.parametrize("name", [*ACTS, *HAZARDS])
def test_every_act_can_be_done_at_any_time_to_nodes_that_live_or_not(name: str) -> None:
    async def scenario(cluster: SimCluster) -> None:
        for seed in range(4):
            {**ACTS, **HAZARDS}[name](Acts(cluster, Dice(seed), 10.0))
            await cluster.sleep(0.3)
            for node in cluster.nodes:
                node.kill("killed", restart_s=0.2)
            {**ACTS, **HAZARDS}[name](Acts(cluster, Dice(seed), 10.0))
            await cluster.sleep(2.0)
        Storm(cluster, draw_plan(Dice(1), calm=True), Dice(1)).heal()
        await cluster.sleep(10.0)
        assert len(cluster.serving) == 2

    run(scenario)
