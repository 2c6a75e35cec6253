"""Nodes that act on tables read at different times: whatever came before, they soon want nothing any more."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from runtime.cluster.beside import with_wishes
from runtime.cluster.placement import Slot, place, plan
from runtime.store.records import ClusterView, NodeRow, ShardRow

NAMES = ("a", "b", "c", "d", "e")
HOSTED = (("billing",), ("sales",), ("billing", "sales"), ("billing", "sales", "warehouse"), ())
STEPS = st.lists(st.tuples(st.sampled_from(("host", "go", "read", "act")), st.sampled_from(NAMES)), max_size=60)
BESIDE = {"sales": "billing"}
WISHES: tuple[tuple[dict[str, str], ...], ...] = (({},), (BESIDE,), (BESIDE, {}), (BESIDE, {"sales": "warehouse"}))


@dataclass
class Tables:
    """The tables of members and shards, and what each node has read of them last. Each shard is at rest always.

    Some nodes have a build that knows of no kind that lives beside another, and of the others not all agree on one.
    """

    draw: random.Random
    shards_per_kind: int
    nodes: dict[str, NodeRow] = field(default_factory=dict)
    shards: dict[Slot, ShardRow] = field(default_factory=dict)
    read: dict[str, ClusterView] = field(default_factory=dict)
    moves: int = 0
    older: float = 0.0  # the chance that a node has an older build
    wishes: tuple[dict[str, str], ...] = ({},)  # what a node may say of kinds that live beside others

    def host(self, name: str) -> None:
        """A node joins, or is restarted with other kinds; one without a kind is about to leave."""
        row = NodeRow(name, "1", "127.0.0.1:1", self.draw.choice(HOSTED), "1")
        is_older = self.draw.random() < self.older
        self.nodes[name] = row if is_older else with_wishes(row, self.draw.choice(self.wishes))
        self.look(name)

    def go(self, name: str) -> None:
        """A node leaves, or is evicted; what it does after that is done on the tables of before."""
        self.nodes.pop(name, None)
        for slot, row in self.shards.items():
            if row.owner == name:
                self.shards[slot] = replace(row, owner="", epoch=row.epoch + 1)

    def look(self, name: str) -> None:
        self.read[name] = ClusterView(0.0, tuple(self.nodes.values()), tuple(self.shards.values()))

    def act(self, name: str) -> int:
        """Do what the node wants by what it has read; gives how many wishes it had. A late wish finds another epoch."""
        view = self.read.get(name, ClusterView(0.0))
        is_older = name in self.nodes and not self.nodes[name].carries
        known = [replace(node, carries=()) for node in view.nodes] if is_older else view.nodes
        wishes = plan(view, place(known, view.shards, self.shards_per_kind), name, {}).assign
        for wish in wishes:
            row = self.shards.get((wish.kind, wish.shard))
            if (row.epoch if row else 0) == wish.epoch:
                self.shards[wish.kind, wish.shard] = replace(wish, epoch=wish.epoch + 1)
                self.moves += 1
        return len(wishes)

    def shuffled(self) -> list[str]:
        return self.draw.sample(sorted(self.nodes), len(self.nodes))


def after(steps: list[tuple[str, str]], count: int, seed: int) -> Tables:
    draw = random.Random(seed)
    tables = Tables(draw, count, older=draw.choice((0.0, 0.0, 0.3)), wishes=draw.choice(WISHES))
    for step, name in steps:
        {"host": tables.host, "go": tables.go, "read": tables.look, "act": tables.act}[step](name)
    return tables


@given(steps=STEPS, count=st.integers(1, 9), seed=st.integers(0, 999))
def test_once_all_have_read_the_same_members_one_act_of_each_is_enough(
    steps: list[tuple[str, str]], count: int, seed: int
) -> None:
    """Some act before others read: they agree all the same."""
    tables = after(steps, count, seed)
    acting = tables.shuffled()
    for name in tables.shuffled():
        tables.look(name)
    for name in acting:
        tables.act(name)
        tables.look(tables.draw.choice(acting))
    for name in tables.shuffled():
        tables.look(name)
        assert not tables.act(name)


@given(steps=STEPS, count=st.integers(1, 9), seed=st.integers(0, 999))
def test_nodes_that_always_act_on_old_tables_settle_too(steps: list[tuple[str, str]], count: int, seed: int) -> None:
    tables = after(steps, count, seed)
    for _ in range(4):
        for name in tables.shuffled():
            tables.act(name)
            tables.look(name)
    before = tables.moves
    for name in tables.shuffled():
        assert not tables.act(name)
    assert tables.moves == before
