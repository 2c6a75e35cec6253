"""A node's share: equal to the others', the same by every node's reckoning, and reached with few moves."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cluster.placement import Placement, Slot, place
from runtime.store.records import NodeRow, ShardRow

KINDS = ("billing", "sales", "warehouse", "order-process")
NAMES = tuple(f"node-{number}" for number in range(9))
HOSTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sets(st.sampled_from(KINDS))), max_size=9, unique_by=lambda host: host[0]
)
OWNERS = st.dictionaries(st.tuples(st.sampled_from(KINDS), st.integers(0, 12)), st.sampled_from((*NAMES, "gone", "")))
COUNTS = st.integers(1, 13)


def host(name: str, kinds: Iterable[str] = KINDS[:1]) -> NodeRow:
    return NodeRow(name=name, incarnation="1", address="127.0.0.1:1", kinds=tuple(kinds), version="1")


def table(owners: Placement) -> list[ShardRow]:
    return [ShardRow(*slot, owner=name, epoch=1) for slot, name in owners.items()]


def moved(before: Placement, after: Placement) -> list[Slot]:
    return [slot for slot, name in after.items() if before.get(slot) != name]


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS)
def test_every_shard_has_a_host_and_no_host_of_a_kind_has_two_more_than_another(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int
) -> None:
    placement = place([host(*one) for one in hosts], table(owners), count)
    hosted = {kind: [name for name, kinds in hosts if kind in kinds] for kind in KINDS}
    assert placement.keys() == {(kind, shard) for kind, names in hosted.items() if names for shard in range(count)}
    for kind, names in hosted.items():
        shares = Counter(name for slot, name in placement.items() if slot[0] == kind)
        assert shares.keys() <= {*names}
        assert not names or max(shares.values()) - min(shares[name] for name in names) <= 1


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS, seed=st.integers(0, 99))
def test_the_order_in_which_rows_are_read_changes_nothing(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int, seed: int
) -> None:
    nodes, rows = [host(*one) for one in hosts], table(owners)
    placement = place(nodes, rows, count)
    random.Random(seed).shuffle(nodes)
    random.Random(seed).shuffle(rows)
    assert place(nodes, rows, count) == placement


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS, seed=st.integers(0, 99))
def test_a_move_that_the_placement_asks_for_leaves_the_placement_as_it_is(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int, seed: int
) -> None:
    """So nodes that read the tables before and after it agree, and every placement is reached."""
    nodes = [host(*one) for one in hosts]
    placement = place(nodes, table(owners), count)
    wanted = moved(owners, placement)
    random.Random(seed).shuffle(wanted)
    for slot in wanted:
        owners = {**owners, slot: placement[slot]}
        assert place(nodes, table(owners), count) == placement


@given(names=st.sets(st.sampled_from(NAMES), min_size=1), owners=OWNERS, count=COUNTS)
def test_of_one_kind_nothing_moves_but_what_nobody_runs_and_what_is_more_than_a_share(
    names: set[str], owners: dict[Slot, str], count: int
) -> None:
    owners = {slot: name for slot, name in owners.items() if slot[0] == KINDS[0] and slot[1] < count}
    placement = place([host(name) for name in names], table(owners), count)
    held = Counter(owners.values())
    each, rest = divmod(count, len(names))
    over = sum(max(0, held[name] - each) for name in names)
    with_one_more = sum(held[name] > each for name in names)
    free = count - sum(held[name] for name in names)
    assert len(moved(owners, placement)) == free + over - min(rest, with_one_more)


@pytest.mark.parametrize("shards", [16, 15, 3])
def test_two_nodes_split_a_kind_in_halves(shards: int) -> None:
    alone = place([host("a")], (), shards)
    both = place([host("a"), host("b")], table(alone), shards)
    assert sorted(Counter(both.values()).values()) == [shards // 2, shards - shards // 2]
    assert {both[slot] for slot in moved(alone, both)} == {"b"}


def test_kinds_of_a_single_shard_are_shared_by_the_nodes_that_host_all_of_them() -> None:
    alone = place([host("a", KINDS)], (), 1)
    both = place([host("a", KINDS), host("b", KINDS)], table(alone), 1)
    assert Counter(both.values()) == {"a": 2, "b": 2}


def test_a_node_with_kinds_of_its_own_leaves_the_odd_shard_of_a_shared_kind_to_the_other() -> None:
    placement = place([host("a", ("billing", "sales")), host("b", ("sales",))], (), 15)
    assert Counter(name for slot, name in placement.items() if slot[0] == "sales") == {"a": 7, "b": 8}


@pytest.mark.parametrize(("kinds", "shards_per_kind"), [(1, 10_000), (5, 2_000), (10, 1_000)])
def test_of_10_000_shards_on_100_nodes_hardly_more_move_than_the_share_of_who_comes_or_goes(
    kinds: int, shards_per_kind: int
) -> None:
    draw = random.Random(kinds)
    names = [f"node-{number}" for number in range(100)]
    hosted = [f"kind-{number}" for number in range(kinds)]
    before = place([host(name, hosted) for name in names], (), shards_per_kind)
    for number in range(100, 106):
        gone = names.pop(draw.randrange(len(names)))
        after = place([host(name, hosted) for name in names], table(before), shards_per_kind)
        assert len(moved(before, after)) <= 1.2 * sum(owner == gone for owner in before.values())
        names.append(f"node-{number}")
        before, after = after, place([host(name, hosted) for name in names], table(after), shards_per_kind)
        share = sum(owner == names[-1] for owner in after.values())
        assert 99 - kinds <= share <= 101 + kinds
        assert len(moved(before, after)) <= 1.2 * share
        before = after
