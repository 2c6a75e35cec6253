"""Whose node has ended without leaving: its shards may hold what it has died over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.cluster.roster import left_behind, note_deaths
from runtime.store.records import ClusterView, NodeRow, ShardRow
from runtime.testing.conformance.samples import node_row

SLOT = ("billing", 0)
SHARD = ShardRow(*SLOT, owner="one", epoch=1)
GONE = replace(node_row("one"), lease_until_s=9.0)
ALIVE = replace(node_row("one"), lease_until_s=11.0)


def view(*nodes: NodeRow, shard: ShardRow = SHARD) -> ClusterView:
    return ClusterView(now_s=10.0, nodes=nodes, shards=(shard,))


@pytest.mark.parametrize(
    ("node", "left"),
    [
        (GONE, {SLOT: "one@1"}),
        (replace(GONE, kinds=()), {}),  # it was leaving, and its turns had ended, or were about to
        (ALIVE, {}),
    ],
)
def test_what_a_node_leaves_behind_whose_lease_has_run_out(node: NodeRow, left: dict[tuple[str, int], str]) -> None:
    assert left_behind(view(node), 10.0) == left


def test_a_successor_of_the_name_finds_what_the_one_before_has_left() -> None:
    assert left_behind(view(ALIVE), 10.0, "one") == {SLOT: "one@1"}


def test_who_has_died_over_a_shard_is_forgotten_once_another_has_it() -> None:
    died = {SLOT: "one@1"}
    note_deaths(died, view(), view(shard=replace(SHARD, owner="two")), "three")
    assert died == {}
    note_deaths(died, view(), view(shard=replace(SHARD, owner="", died="one@1")), "three")
    assert died == {SLOT: "one@1"}
    note_deaths(died, view(), view(shard=replace(SHARD, owner="three", died="one@1")), "three")
    assert died == {SLOT: "one@1"}, "it is ours to look into"
