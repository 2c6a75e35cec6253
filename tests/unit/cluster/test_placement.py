"""Who should run what, and what one node does about it: pure functions."""

from __future__ import annotations

import subprocess
import sys

from runtime.cluster.placement import ShardPhase, place, plan
from runtime.store.records import ClusterView, NodeRow, ShardRow


def node(name: str, *kinds: str) -> NodeRow:
    return NodeRow(name=name, incarnation="1", address="127.0.0.1:1", kinds=kinds or ("billing",), version="1")


def view(*rows: ShardRow, nodes: str = "ab") -> ClusterView:
    return ClusterView(now_s=0.0, nodes=tuple(node(name) for name in nodes), shards=rows)


def owned(name: str, epoch: int = 3) -> ShardRow:
    return ShardRow(kind="billing", shard=0, owner=name, epoch=epoch)


SLOT = ("billing", 0)


def test_shards_go_only_to_nodes_that_host_their_kind() -> None:
    placement = place([node("a", "billing"), node("b", "sales"), node("c", "billing", "sales")], (), 64)
    assert {name for (kind, _), name in placement.items() if kind == "billing"} == {"a", "c"}
    assert {name for (kind, _), name in placement.items() if kind == "sales"} == {"b", "c"}
    assert not [slot for slot in placement if slot[0] == "warehouse"]


def test_what_a_node_owns_of_a_kind_that_it_hosts_no_more_goes_to_those_who_do() -> None:
    rows = [ShardRow(kind="billing", shard=shard, owner="a", epoch=3) for shard in range(16)]
    placement = place([node("a", "sales"), node("b", "billing")], rows, 16)
    assert {name for (kind, _), name in placement.items() if kind == "billing"} == {"b"}


def test_placement_is_the_same_in_a_process_with_another_hash_seed() -> None:
    code = (
        "from tests.unit.cluster.test_placement import node; from runtime.cluster.placement import place\n"
        "print(sorted(place([node('a'), node('b'), node('c')], (), 32).items()))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] == f"{sorted(place([node('a'), node('b'), node('c')], (), 32).items())}\n"


def test_what_is_ours_by_the_table_is_taken_without_a_new_epoch() -> None:
    todo = plan(view(owned("a")), {SLOT: "a"}, "a", {})
    assert todo.take == (SLOT,) and not todo.assign and not todo.release


def test_what_nobody_owns_is_claimed_at_its_epoch() -> None:
    todo = plan(view(owned("", epoch=7)), {SLOT: "a"}, "a", {})
    assert todo.assign == (ShardRow("billing", 0, "a", 7),) and not todo.take


def test_what_a_node_owned_that_is_gone_is_claimed() -> None:
    assert plan(view(owned("zombie")), {SLOT: "a"}, "a", {}).assign == (ShardRow("billing", 0, "a", 3),)


def test_what_a_live_node_owns_is_waited_for() -> None:
    todo = plan(view(owned("b")), {SLOT: "a"}, "a", {})
    assert todo.waits and not todo.assign and not todo.take


def test_what_belongs_elsewhere_is_released_first_and_given_away_when_it_is_at_rest() -> None:
    held = plan(view(owned("a")), {SLOT: "b"}, "a", {SLOT: ShardPhase.HELD})
    assert held.release == (SLOT,) and not held.assign
    releasing = plan(view(owned("a")), {SLOT: "b"}, "a", {SLOT: ShardPhase.RELEASING})
    assert not releasing.release and not releasing.assign
    resting = plan(view(owned("a")), {SLOT: "b"}, "a", {})
    assert resting.assign == (ShardRow("billing", 0, "b", 3),)


def test_what_is_being_taken_is_not_released_before_that_is_done() -> None:
    todo = plan(view(owned("a")), {SLOT: "b"}, "a", {SLOT: ShardPhase.TAKING})
    assert not todo.release and not todo.assign


def test_what_is_ours_of_a_kind_that_nobody_hosts_is_given_to_nobody() -> None:
    assert plan(view(owned("a")), {}, "a", {}).assign == (ShardRow("billing", 0, "", 3),)


def test_what_the_table_says_is_anothers_is_stopped_here() -> None:
    assert plan(view(owned("b")), {SLOT: "a"}, "a", {SLOT: ShardPhase.HELD}).release == (SLOT,)


def test_nothing_is_done_while_an_act_of_an_earlier_lease_is_under_way() -> None:
    for row in (owned("a"), owned("")):
        todo = plan(view(row), {SLOT: "a"}, "a", {SLOT: ShardPhase.LAPSED})
        assert not todo.take and not todo.assign and not todo.release


def test_a_new_kind_gets_all_its_shards_from_whoever_sees_it_first() -> None:
    placement = place([node("a"), node("b")], (), 16)
    todo = plan(view(), placement, "a", {})
    assert {(row.kind, row.shard): row.owner for row in todo.assign} == placement
    assert {row.epoch for row in todo.assign} == {0}


def test_a_kind_whose_rows_the_table_has_lost_gets_none_of_them_before_it_can_get_all() -> None:
    """Were they written in parts, and every node died in between, none would start again: the count would be wrong."""
    placement = {SLOT: "a", ("billing", 1): "a", ("sales", 0): "a"}
    still_runs_one = plan(view(), placement, "a", {SLOT: ShardPhase.HELD})
    assert still_runs_one.release == (SLOT,)
    assert [(row.kind, row.shard) for row in still_runs_one.assign] == [("sales", 0)]
    laying_it_down = plan(view(), placement, "a", {SLOT: ShardPhase.RELEASING})
    assert [(row.kind, row.shard) for row in laying_it_down.assign] == [("sales", 0)]
    at_rest = plan(view(), placement, "a", {})
    assert [(row.kind, row.shard) for row in at_rest.assign] == [*sorted(placement)]


def test_what_a_node_runs_although_its_row_is_lost_and_nobody_hosts_the_kind_is_laid_down() -> None:
    assert plan(view(), {}, "a", {SLOT: ShardPhase.HELD}).release == (SLOT,)
