"""Kinds that live beside others: their shards follow, nodes agree on it, and what does not follow is shared."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cluster.beside import heeded, unheeded, wishes_of, with_wishes
from runtime.cluster.placement import Placement, Slot, place
from runtime.cluster.roster import Roster
from runtime.durable.carriers import Carriers
from runtime.store.records import ClusterView, NodeRow, ShardRow

SAGA, SERVICE = "order-process", "sales"
BESIDE = {SAGA: SERVICE}
KINDS = (SERVICE, SAGA, "billing")
NAMES = tuple(f"node-{number}" for number in range(7))
HOSTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sets(st.sampled_from(KINDS))), max_size=7, unique_by=lambda host: host[0]
)
OWNERS = st.dictionaries(st.tuples(st.sampled_from(KINDS), st.integers(0, 12)), st.sampled_from((*NAMES, "gone", "")))
COUNTS = st.integers(1, 13)


def older(name: str, *kinds: str) -> NodeRow:
    """A node whose build knows of no kind that lives beside another."""
    return NodeRow(name, "1", "127.0.0.1:1", kinds, "1", carries=("order-process/9f3c",))


def node(name: str, *kinds: str, beside: Mapping[str, str] = BESIDE) -> NodeRow:
    return with_wishes(older(name, *kinds), beside)


def hosting(hosts: Iterable[tuple[str, set[str]]]) -> list[NodeRow]:
    return [node(name, *sorted(kinds)) for name, kinds in hosts]


def table(owners: Placement) -> list[ShardRow]:
    return [ShardRow(*slot, owner=name, epoch=1) for slot, name in owners.items()]


def of_kind(kind: str, placement: Placement) -> dict[int, str]:
    return {shard: name for (one, shard), name in placement.items() if one == kind}


def moved(before: Placement, after: Placement) -> list[Slot]:
    return [slot for slot, name in after.items() if before.get(slot) != name]


# --- what is heeded ---


def test_a_node_says_what_its_catalogue_wishes_for_the_kinds_that_it_hosts() -> None:
    assert wishes_of(node("a", SERVICE, SAGA)) == BESIDE
    assert wishes_of(node("b", SERVICE)) == {}


def test_a_wish_of_all_hosts_of_a_kind_is_heeded_whatever_others_host() -> None:
    assert heeded([node("a", SERVICE, SAGA), node("b", "billing"), node("c", SAGA)]) == BESIDE
    assert heeded([node("a", SERVICE, SAGA), node("b", "billing", beside={})]) == BESIDE


@pytest.mark.parametrize("beside", [{}, {SAGA: "billing"}])
def test_a_wish_on_which_hosts_do_not_agree_is_not_heeded(beside: dict[str, str]) -> None:
    nodes = [node("a", SAGA), node("b", SAGA, beside=beside)]
    assert heeded(nodes) == {}
    assert unheeded(nodes) == BESIDE


def test_an_older_build_is_no_host_of_the_kind_and_has_the_wish_ignored_all_the_same() -> None:
    """It would give other kinds to other nodes than those do that count the saga's shards as placed elsewhere."""
    assert heeded([node("a", SERVICE, SAGA), older("b", "billing")]) == {}


def test_a_kind_whose_partner_follows_another_one_stays_where_it_is() -> None:
    chained = {SAGA: SERVICE, SERVICE: "billing"}
    assert heeded([node("a", SERVICE, SAGA, "billing", beside=chained)]) == {SERVICE: "billing"}


def test_what_is_said_of_wishes_is_taken_for_no_version_and_no_type() -> None:
    carriers = Carriers("b")
    carriers.learn(ClusterView(0.0, (node("a", SERVICE, SAGA),)))
    assert carriers.of("order-process/9f3c") == [("a", "1")]
    assert not [one for one in node("a", SAGA).carries if carriers.of(one) and one.startswith("<")]


# --- where its shards are ---


def test_each_shard_of_a_saga_is_where_the_same_shard_of_its_service_is() -> None:
    names = ("a", "b", "c")
    alone = place([node(name, SERVICE, SAGA, beside={}) for name in names], (), 64)
    assert of_kind(SAGA, alone) != of_kind(SERVICE, alone)
    placement = place([node(name, SERVICE, SAGA) for name in names], table(alone), 64)
    assert of_kind(SAGA, placement) == of_kind(SERVICE, placement) == of_kind(SERVICE, alone)


def test_a_saga_goes_to_no_node_that_does_not_host_it() -> None:
    placement = place([node("a", SERVICE), node("b", SERVICE, SAGA), node("c", SAGA)], (), 16)
    sagas, services = of_kind(SAGA, placement), of_kind(SERVICE, placement)
    assert set(sagas.values()) == {"b", "c"}
    assert all(sagas[shard] == "b" for shard, name in services.items() if name == "b")
    assert Counter(sagas.values()) == {"b": 8, "c": 8}


def test_a_node_that_hosts_the_saga_alone_stands_by_for_the_one_that_hosts_its_service_too() -> None:
    both = [node("sales-1", SERVICE, SAGA), node("stand-by", SAGA)]
    placement = place(both, (), 16)
    assert set(of_kind(SAGA, placement).values()) == {"sales-1"}
    gone = place(both[1:], table(placement), 16)
    assert set(of_kind(SAGA, gone).values()) == {"stand-by"}
    assert place(both, table(gone), 16) == placement


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS)
def test_what_can_follow_does_and_the_rest_evens_hosts_out(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int
) -> None:
    placement = place(hosting(hosts), table(owners), count)
    services, sagas = of_kind(SERVICE, placement), of_kind(SAGA, placement)
    names = {name for name, kinds in hosts if SAGA in kinds}
    assert sagas.keys() == (set(range(count)) if names else set())
    assert set(sagas.values()) <= names
    follow = {shard for shard, name in services.items() if name in names}
    assert all(sagas.get(shard) == services[shard] for shard in follow)
    shares = Counter(sagas.values())
    for shard in sagas.keys() - follow:
        assert shares[sagas[shard]] <= min(shares[name] for name in names) + 1


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS, seed=st.integers(0, 99))
def test_a_move_that_the_placement_asks_for_leaves_the_placement_as_it_is(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int, seed: int
) -> None:
    """The saga's shards may move before those of its service, or after them."""
    nodes = hosting(hosts)
    placement = place(nodes, table(owners), count)
    wanted = moved(owners, placement)
    random.Random(seed).shuffle(wanted)
    for slot in wanted:
        owners = {**owners, slot: placement[slot]}
        rows = table(owners)
        random.Random(seed).shuffle(rows)
        assert place(nodes, rows, count) == placement


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS, which=st.integers(0, 6))
def test_with_one_older_build_among_them_nodes_place_as_that_does(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int, which: int
) -> None:
    nodes = hosting(hosts)
    if nodes:
        nodes[which % len(nodes)] = older(*hosts[which % len(nodes)][:1], *sorted(hosts[which % len(nodes)][1]))
    as_older = [replace(one, carries=()) for one in nodes]
    assert place(nodes, table(owners), count) == place(as_older, table(owners), count)


@given(hosts=HOSTS, owners=OWNERS, count=COUNTS)
def test_other_kinds_are_where_they_would_be_without_the_saga(
    hosts: list[tuple[str, set[str]]], owners: dict[Slot, str], count: int
) -> None:
    nodes = hosting(hosts)
    without = [replace(one, kinds=tuple(kind for kind in one.kinds if kind != SAGA)) for one in nodes]
    placement = place(nodes, table(owners), count)
    others = {slot: name for slot, name in placement.items() if slot[0] != SAGA}
    assert others == place(without, table(owners), count)


def test_when_a_node_comes_or_goes_a_saga_moves_just_where_its_service_does() -> None:
    names = [f"node-{number}" for number in range(20)]
    before = place([node(name, *KINDS) for name in names], (), 500)
    for gone, come in (("node-3", ""), ("", "late"), ("node-7", "later")):
        names = [name for name in (*names, come) if name not in (gone, "")]
        after = place([node(name, *KINDS) for name in names], table(before), 500)
        moves = moved(before, after)
        assert moves
        sagas, services = ({shard for one, shard in moves if one == kind} for kind in (SAGA, SERVICE))
        assert sagas == services
        before = after


def test_a_node_that_hosts_the_saga_alone_takes_only_what_follows_nobody() -> None:
    nodes = [node("sales-1", SERVICE), node("sales-2", SERVICE, SAGA), node("sagas-1", SAGA)]
    before = place(nodes, (), 90)
    after = place([*nodes, node("sagas-2", SAGA)], table(before), 90)
    moves = moved(before, after)
    assert {after[slot] for slot in moves} == {"sagas-2"}
    assert {before[slot] for slot in moves} == {"sagas-1"}
    assert len(moves) == 22


def test_a_node_that_comes_back_with_another_wish_has_shards_placed_anew() -> None:
    hosts = [node("a", SERVICE, SAGA), node("b", SERVICE, SAGA)]
    apart = [hosts[0], node("b", SERVICE, SAGA, beside={})]
    owners = place(apart, (), 16)
    roster = Roster(16)
    roster.learn(ClusterView(0.0, tuple(apart), tuple(table(owners))))
    assert dict(roster.placement) == owners
    roster.learn(ClusterView(0.0, tuple(hosts), tuple(table(owners))))
    assert of_kind(SAGA, roster.placement) == of_kind(SERVICE, roster.placement) != of_kind(SAGA, owners)
