"""Callers on one node watch an actor of another: through moves, and through streams that are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from protos.billing_pb2 import BillState
from runtime.durable.client import ActorState
from runtime.durable.waiting.unsent_answers import UnsentAnswers
from runtime.durable.waiting.watches import StateWatches
from runtime.protos import mesh_pb2
from runtime.store.records import ActorRow, ClusterView, Expected, NodeRow, ShardRow, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import CONVERSATION, Post, Till

WHERE = "billing/ORD-1"
SOON_S = 0.1  # of virtual time: long before anybody who waits looks into the store


class Others:
    """All other nodes, as far as signals go: each keeps watches as a node does, and there are streams to some."""

    def __init__(self, local: LocalNode, *names: str) -> None:
        self.local = local
        self.reached = set(names)
        self.watches = {name: StateWatches(lambda _, signal: self._back(signal)) for name in names}
        self.told: list[tuple[str, mesh_pb2.Signal]] = []
        local.router.connect(self, self)

    def owner_of(self, kind: str, shard: int) -> str | None:
        return None

    def lease_is_sure(self) -> bool:
        return True

    def push(self, node: str, encoded: bytes) -> bool:
        return False

    def request_resync(self, node: str) -> None: ...

    def request_resync_everywhere(self) -> None: ...

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        if node not in self.reached:
            return False
        self.told.append((node, signal))
        if signal.HasField("watch"):
            self.local.ports.tasks.call_soon(self.watches[node].on_watch, signal.watch)
        return True

    def _back(self, signal: mesh_pb2.Signal) -> bool:
        self.local.ports.tasks.call_soon(self.local.router.on_signals, "peer", [signal])
        return True

    def owns(self, node: str, epoch: int = 1, incarnation: str = "1", *, moves_elsewhere: int = 0) -> None:
        """From now on this node has all shards of the kind. One of another kind has moved so many times."""
        kinds, shards = ("billing",), range(self.local.limits.shards_per_kind)
        rows = (
            *(ShardRow("billing", shard, node, epoch) for shard in shards),
            ShardRow("sales", 0, "", moves_elsewhere),
        )
        members = tuple(NodeRow(name, incarnation, "", kinds, "") for name in sorted({*self.watches, node}))
        self.local.shards.on_view(ClusterView(0.0, members, rows))

    async def commit(self, charges: int, *, told_by: str = "") -> None:
        """Another node has a turn of the actor committed. It tells those who watch the actor there."""
        (before,) = await self.local.store.load([("billing", "ORD-1")])
        state = BillState(order_id="ORD-1", charges=charges).SerializeToString()
        row = ActorRow(
            kind="billing",
            key="ORD-1",
            shard=Post(self.local).shard,
            revision=charges,
            last_id=charges.to_bytes(16),
            conversation=CONVERSATION,
            state_type="shop.BillState",
            state=state,
            timers=b"",
            due_at_s=None,
            updated_at_s=0.0,
        )
        expected = Expected(0, b"") if before is None else Expected(before.revision, before.last_id)
        turn = Transition(actor=row, expected=expected, address=row.address, shard=row.shard)
        assert await self.local.store.commit([turn]) == [Verdict.COMMITTED]
        if told_by:
            self.watches[told_by].committed(WHERE, row)


class Onlooker:
    """Somebody who watches the actor, and what he has seen of it."""

    def __init__(self, changes: AsyncIterator[ActorState]) -> None:
        self.seen: list[int] = []
        self._task = asyncio.ensure_future(self._watch(changes))

    async def _watch(self, changes: AsyncIterator[ActorState]) -> None:
        async for change in changes:
            assert isinstance(change.state, BillState)
            self.seen.append(change.state.charges)

    def stop(self) -> None:
        self._task.cancel()


Scenario = Callable[[LocalNode, Others, Onlooker], Coroutine[Any, Any, None]]


def with_a_watcher(scenario: Scenario, *, owner: str = "east", reached: tuple[str, ...] = ("east", "west")) -> None:
    async def run() -> None:
        local = await LocalNode([Till()]).start(owning=False)
        others = Others(local, "east", "west")
        others.reached = set(reached)
        others.owns(owner)
        async with local.client.watch("billing", "ORD-1") as changes:
            watcher = Onlooker(changes)
            await local.sleep(SOON_S)
            await scenario(local, others, watcher)
            watcher.stop()
        await local.stop()

    in_virtual_time(run)


def test_what_the_owner_commits_is_told_and_no_more_is_asked_of_it() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        await others.commit(1, told_by="east")
        others.owns("east", moves_elsewhere=1)
        await local.sleep(SOON_S)
        assert watcher.seen == [1]
        assert [(node, one.watch.confirm) for node, one in others.told] == [("east", False)]

    with_a_watcher(scenario)


def test_what_a_new_owner_committed_before_it_knew_who_watches_is_seen_at_once() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        await others.commit(1, told_by="west")
        await local.sleep(SOON_S)
        assert watcher.seen == []
        others.owns("west", epoch=2)
        await local.sleep(SOON_S)
        await others.commit(2, told_by="west")
        await local.sleep(SOON_S)
        assert watcher.seen == [1, 2]
        assert others.watches["east"].is_empty

    with_a_watcher(scenario)


def test_an_owner_that_lost_the_shard_in_between_is_asked_again() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        others.watches["east"].release(lambda _: True)
        others.owns("east", epoch=3)
        await local.sleep(SOON_S)
        await others.commit(1, told_by="east")
        await local.sleep(SOON_S)
        assert watcher.seen == [1]

    with_a_watcher(scenario)


def test_an_owner_that_was_restarted_is_asked_again() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        others.watches["east"].forget("node")
        others.owns("east", incarnation="2")
        await local.sleep(SOON_S)
        await others.commit(1, told_by="east")
        await local.sleep(SOON_S)
        assert watcher.seen == [1]

    with_a_watcher(scenario)


def test_what_was_committed_elsewhere_is_seen_when_the_actor_moves_here() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        await others.commit(1)
        others.owns("node", epoch=2)
        await local.sleep(SOON_S)
        assert watcher.seen == [1]
        assert others.watches["east"].is_empty

    with_a_watcher(scenario)


def test_a_watch_for_which_there_was_no_stream_counts_once_there_is_one() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        await others.commit(1, told_by="east")
        others.reached.add("east")
        local.router.on_peer_reached("east")
        await local.sleep(SOON_S)
        await others.commit(2, told_by="east")
        await local.sleep(SOON_S)
        assert watcher.seen == [1, 2]

    with_a_watcher(scenario, reached=("west",))


def test_a_stream_to_somebody_else_asks_nothing_of_the_owner() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        local.router.on_peer_reached("west")
        assert [node for node, _ in others.told] == ["east"]

    with_a_watcher(scenario)


def test_who_watches_from_a_node_is_told_to_look_when_there_is_a_stream_to_it_again() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        local.router.watches.on_watch(mesh_pb2.Watch(address="billing/ORD-2", node="west"))
        local.router.watches.on_watch(mesh_pb2.Watch(address="billing/ORD-3", node="east"))
        local.router.on_peer_reached("west")
        looks = [(node, one.look.address, one.look.revision) for node, one in others.told if one.HasField("look")]
        assert looks == [("west", "billing/ORD-2", 0)]

    with_a_watcher(scenario)


def test_a_commit_that_is_told_does_not_take_the_place_of_a_look_that_is_owed() -> None:
    async def scenario(local: LocalNode, others: Others, watcher: Onlooker) -> None:
        await others.commit(1, told_by="east")
        await others.commit(2)
        local.router.watches.on_look(mesh_pb2.Look(address=WHERE))
        await local.sleep(SOON_S)
        assert watcher.seen == [1, 2]

    with_a_watcher(scenario)


def test_who_watches_is_told_of_the_last_turn_before_a_shard_is_given_away() -> None:
    async def run() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local = await LocalNode([till]).start()
        others = Others(local, "east")
        post = Post(local)
        local.router.watches.on_watch(mesh_pb2.Watch(address=WHERE, node="east"))
        await post.send(post.bill(1))
        await local.sleep(SOON_S)
        releasing = asyncio.ensure_future(local.shards.release("billing", frozenset((post.shard,))))
        await local.sleep(SOON_S)
        till.hangs[1].set()
        await releasing
        assert [(node, one.changed.address, one.changed.revision) for node, one in others.told] == [("east", WHERE, 1)]
        assert local.router.watches.is_empty
        await local.stop()

    in_virtual_time(run)


# --- answers ---


def test_an_answer_for_a_node_without_a_stream_is_sent_once_there_is_one() -> None:
    async def run() -> None:
        local = await LocalNode([Till()]).start()
        others = Others(local, "east", "west")
        others.reached.clear()
        for call in ("east#1#1", "west#1#1", "east#1#2"):
            local.router.answer(call, None, "", b"i" * 16)
        others.reached.add("east")
        local.router.on_peer_reached("east")
        local.router.on_peer_reached("east")
        assert [one.answer.call for _, one in others.told] == ["east#1#1", "east#1#2"]
        await local.stop()

    in_virtual_time(run)


def test_of_too_many_unsent_answers_the_oldest_are_dropped() -> None:
    answers = [mesh_pb2.Signal(answer=mesh_pb2.Answer(call=f"east#1#{number}", fault="x" * 80)) for number in range(5)]
    unsent = UnsentAnswers(bytes_max=3 * answers[0].ByteSize())
    for answer in answers:
        unsent.add("east", answer)
    assert unsent.take("east") == answers[2:]
    unsent.add("east", mesh_pb2.Signal(answer=mesh_pb2.Answer(call="east#1#9", fault="x" * 1000)))
    assert unsent.take("east") == []
    for answer in answers[:3]:
        unsent.add("west", answer)  # There is room for as many as at first.
    assert (unsent.take("east"), unsent.take("west")) == ([], answers[:3])


def test_an_answer_that_is_given_twice_is_kept_once() -> None:
    answer = mesh_pb2.Signal(answer=mesh_pb2.Answer(call="east#1#1"))
    unsent = UnsentAnswers(bytes_max=2 * answer.ByteSize())
    for _ in range(3):
        unsent.add("east", answer)
    other = mesh_pb2.Signal(answer=mesh_pb2.Answer(call="east#1#2"))
    unsent.add("east", other)
    assert unsent.take("east") == [answer, other]
