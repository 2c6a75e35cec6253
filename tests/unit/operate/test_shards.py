"""Who owns which shards, and why: what operators are told."""

from __future__ import annotations

from runtime.cluster.beside import with_wishes
from runtime.operate.shards import shards_of, whys
from runtime.store.memory import MemoryStore
from runtime.store.records import ClusterView, NodeRow, ShardRow
from tests.unit.operate.rows import join

BESIDE = {"order-process": "sales"}


def node(name: str, *kinds: str) -> NodeRow:
    return with_wishes(NodeRow(name, "1", "127.0.0.1:1", kinds, "1", lease_until_s=9.0), BESIDE)


def view(*nodes: NodeRow, **owners: str) -> ClusterView:
    """`owners`: of the first shard, by kind with an underscore in place of a hyphen."""
    rows = tuple(ShardRow(kind.replace("_", "-"), 0, owner, 1) for kind, owner in owners.items())
    return ClusterView(0.0, nodes, rows)


def why(told: ClusterView) -> str:
    return whys(told)["order-process", 0]


async def test_shards_are_grouped_by_kind_and_owner(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await store.assign("sales", 0, owner="", expected_epoch=0)
    await store.assign("sales", 4, owner="sales-1", expected_epoch=0)
    nobodys, owned = shards_of(await store.cluster())
    assert (nobodys.owner, nobodys.shards, nobodys.alive, nobodys.why) == ("", (0,), False, "")
    assert (owned.owner, owned.shards, owned.alive, owned.why) == ("sales-1", (3, 4), True, "an equal share")


def test_a_shard_that_follows_its_service_says_so() -> None:
    both = node("sales-1", "sales", "order-process")
    assert why(view(both, sales="sales-1", order_process="sales-1")) == "beside sales"


def test_a_shard_on_its_way_to_its_service_says_where_it_goes() -> None:
    nodes = node("sales-1", "sales", "order-process"), node("sagas-1", "order-process")
    assert why(view(*nodes, sales="sales-1", order_process="sagas-1")) == "about to move beside sales on sales-1"


def test_a_shard_that_cannot_follow_says_what_is_in_the_way() -> None:
    nodes = node("sales-1", "sales"), node("sagas-1", "order-process")
    told = "an equal share: sales is on sales-1, which does not host it"
    assert why(view(*nodes, sales="sales-1", order_process="sagas-1")) == told
    assert why(view(nodes[1], order_process="sagas-1")) == "an equal share: sales is nobody's"


def test_a_wish_on_which_nodes_do_not_agree_is_told_as_such() -> None:
    older = NodeRow("sales-1", "1", "127.0.0.1:1", ("sales",), "1", lease_until_s=9.0)
    told = "an equal share: not all nodes agree that it lives beside sales"
    assert why(view(older, node("sagas-1", "order-process"), sales="sales-1", order_process="sagas-1")) == told


def test_shards_of_one_owner_for_different_reasons_are_told_apart() -> None:
    nodes = node("a", "sales", "order-process"), node("b", "sales")
    rows = [ShardRow("sales", 0, "a", 1), ShardRow("sales", 1, "b", 1)]
    sagas = [ShardRow("order-process", shard, "a", 1) for shard in range(2)]
    entries = shards_of(ClusterView(0.0, nodes, (*rows, *sagas)))
    assert [(one.shards, one.why) for one in entries if one.kind == "order-process"] == [
        ((1,), "an equal share: sales is on b, which does not host it"),
        ((0,), "beside sales"),
    ]
