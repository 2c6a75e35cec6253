"""A shard has moved: what was pushed to where it was must not be overtaken by what is pushed to where it is."""

from __future__ import annotations

from runtime.durable.kind import Limits
from runtime.protos import mesh_pb2
from runtime.store.records import ClusterView, ShardRow
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


class NotedLinks:
    """Notes who is told of a gap; `owners` say who owns what."""

    def __init__(self) -> None:
        self.gaps: list[str] = []
        self.owners: dict[tuple[str, int], str] = {}
        self.is_sure = True

    def owner_of(self, kind: str, shard: int) -> str | None:
        return self.owners.get((kind, shard))

    def lease_is_sure(self) -> bool:
        return self.is_sure

    def push(self, node: str, encoded: bytes) -> bool:
        return True

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        return True

    def request_resync(self, node: str) -> None:
        self.gaps.append(node)

    def request_resync_everywhere(self) -> None:
        self.gaps.append("*")


async def connected(till: Till) -> tuple[LocalNode, NotedLinks]:
    local = await LocalNode([till], limits=Limits(sweep_s=60.0)).start(owning=False)
    links = NotedLinks()
    local.router.connect(links, links)
    return local, links


def view(*shards: ShardRow) -> ClusterView:
    return ClusterView(now_s=0.0, shards=shards)


def test_i7_the_new_owner_of_a_shard_is_told_of_a_gap_and_nobody_else() -> None:
    async def scenario() -> None:
        local, links = await connected(Till())
        local.shards.on_view(view(ShardRow("x", 0, "a", 1), ShardRow("x", 1, "b", 1)))
        links.gaps.clear()
        local.shards.on_view(view(ShardRow("x", 0, "c", 2), ShardRow("x", 1, "b", 1)))
        assert links.gaps == ["c"]
        local.shards.on_view(view(ShardRow("x", 0, "node", 3), ShardRow("x", 1, "", 2)))
        assert links.gaps == ["c"]
        local.shards.on_view(view(ShardRow("x", 0, "node", 3), ShardRow("x", 1, "b", 3)))
        assert links.gaps == ["c", "b"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_who_takes_actors_over_reads_what_their_last_owner_may_not_have_pushed() -> None:
    """Here and elsewhere, before the first of them can send more."""

    async def scenario() -> None:
        till = Till()
        local, links = await connected(till)
        post = Post(local)
        everything = frozenset(range(local.limits.shards_per_kind))
        await local.shards.take_over("billing", everything - {0} | {post.shard})
        await post.store(post.bill(1))  # by an actor whose node died before it pushed
        links.gaps.clear()
        await local.shards.take_over("billing", frozenset((0,)))
        await local.sleep(0.1)
        assert till.runs == [1]
        assert links.gaps == ["*"]
        await local.stop()

    in_virtual_time(scenario)
