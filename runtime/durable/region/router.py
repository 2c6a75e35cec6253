"""Where messages find their way: to an actor in this process, to the owner's peer, or nowhere: the store has them.

    gateway ──post──▶ committer ──committed──▶ Region.route ─┬─▶ Residents   this node owns the shard
    turn ────draft──▶ committer ──committed──▶     "         ├─▶ mesh.push     another node does
    mesh ────────────pushes──────────────────▶ Region.on_pushes └─▶ nothing       nobody does: swept by whoever will
    membership ──acquired, release, lost─────▶ Region

Shards only say who should try. Taking a shard begins with a sweep; until it is complete, pushes for it are declined,
so that no newer message overtakes one that waits in the store. A push may have gone to a former owner, or its sender
may have died before it pushed: whenever a shard has moved, whoever may be pushed to next is told to look first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from google.protobuf.message import DecodeError

from runtime.durable.carriers import Carriers
from runtime.durable.facts import PushRejected
from runtime.durable.kind import Kind, Limits, Subscribers
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.region.upkeep import Purger
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.residents import Residents
from runtime.durable.turn.draft import ClientAnswer, Draft
from runtime.durable.waiting.calls import PendingCalls
from runtime.durable.waiting.watches import StateWatches
from runtime.envelope import Envelope, decode, parse_address, shard_of
from runtime.errors import InvalidMessage, UnknownMessageType
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.protos import mesh_pb2
from runtime.store.committer import Committer
from runtime.store.records import ClusterView, Subscription

__all__ = ["Links", "Region", "ShardMap"]

_DELIVERED = Failpoint.DELIVERED_HERE  # found once, for each message reaches it


class ShardMap(Protocol):
    """Who owns a shard, as far as this node knows."""

    def owner_of(self, kind: str, shard: int) -> str | None: ...

    def lease_is_sure(self) -> bool:
        """Whether nobody else can have this node's shards yet, by its own clock."""
        ...


class Links(Protocol):
    """The fast path to other nodes; False when it is not to be had now."""

    def push(self, node: str, encoded: bytes) -> bool: ...

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool: ...

    def request_resync(self, node: str) -> None:
        """Have a node read its mail in the store before it takes what is pushed from now on."""
        ...

    def request_resync_everywhere(self) -> None: ...


class Region:
    """All durable actors of one node, and the way to those of others."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        committer: Committer,
        ports: Ports,
        limits: Limits,
        *,
        node: str,
        calls: PendingCalls,
        subscribers: Subscribers,
        subscriptions: Sequence[Subscription],
        carriers: Carriers,
    ) -> None:
        self._ports = ports
        self._limits = limits
        self._node = node
        self._calls = calls
        self._subscribers = subscribers
        self._static = tuple(subscriptions)
        self._shard_map: ShardMap | None = None
        self._links: Links | None = None
        self._owned: dict[str, set[int]] = {}
        self._moves: dict[tuple[str, int], tuple[str, int]] = {}  # owner and epoch of each shard, as last read
        self._reading = asyncio.Lock()
        self._readings = 0  # of all mail, begun so far
        self._places: object = None  # who owned what when watches were last announced
        self._since_s: dict[tuple[str, int], float] = {}  # when a shard was last taken over here
        self.died: dict[tuple[str, int], str] = {}  # whose node ended without leaving, and which that was
        self.watches = StateWatches(self._signal)
        self._carriers = carriers
        carriers.connect(self._signal)
        self.activations: Mapping[str, Residents] = {
            kind.name: Residents(kind, committer, self._release, self.read_again, self._may_commit) for kind in kinds
        }
        purger = Purger(self._purges)
        self.sweepers = {
            name: Sweeper(activations, self._owned.setdefault(name, set()), purger)
            for name, activations in self.activations.items()
        }

    def connect(self, shard_map: ShardMap, links: Links) -> None:
        """Hand over what is made after this; before it, everything waits in the store."""
        self._shard_map = shard_map
        self._links = links

    # --- out ---

    def route(self, envelope: Envelope) -> None:
        """Send a committed message on its way."""
        if envelope.due_at_s and envelope.due_at_s > self._ports.clock.now_s():
            return  # not due: the sweep of its owner finds it in time
        kind = envelope.kind
        shard = shard_of(envelope.key, self._limits.shards_per_kind)
        owned = self._owned.get(kind)
        failpoint = self._ports.failpoint
        if owned and shard in owned:
            self.activations[kind].deliver(envelope, shard)
            failpoint(_DELIVERED)
        elif self._shard_map is not None and self._links is not None:
            owner = self._shard_map.owner_of(kind, shard)
            if owner is not None and owner != self._node:
                self._links.push(owner, envelope.encoded)
                failpoint(Failpoint.PUSH_QUEUED)
                return
            if kind in self.sweepers:
                self.sweepers[kind].declined(shard)
            failpoint(Failpoint.PUSH_UNOWNED)

    def _may_commit(self) -> bool:
        return self._shard_map is None or self._shard_map.lease_is_sure()

    def _release(self, activation: Activation, draft: Draft) -> None:
        for envelope in draft.outgoing:
            self.route(envelope)
        for answer in draft.answers:
            self._answer(answer)
        if draft.timers:
            self.sweepers[activation.kind.name].arm(activation.address, activation.shard, draft)
        if not self.watches.is_empty and draft.row_after is not None:
            self.watches.committed(activation.name, draft.row_after)

    def _answer(self, answer: ClientAnswer) -> None:
        if self._calls.is_local(answer.to):
            self._calls.resolve(answer.to, answer.message, answer.fault, answer.id)
            return
        wire = mesh_pb2.Answer(call=answer.to, fault=answer.fault, message=answer.id)
        if answer.message is not None:
            wire.type = answer.message.DESCRIPTOR.full_name
            wire.body = answer.message.SerializeToString()
        self._signal(answer.to.partition("#")[0], mesh_pb2.Signal(answer=wire))
        self._ports.failpoint(Failpoint.ANSWER_QUEUED)

    def _signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        return self._links is not None and self._links.signal(node, signal)

    def watch_remote(self, address: str, *, stop: bool = False) -> None:
        """Ask the owner of an actor to tell this node of its changes, if another node owns it."""
        kind, key = parse_address(address)
        owner = self._shard_map and self._shard_map.owner_of(kind, shard_of(key, self._limits.shards_per_kind))
        if owner and owner != self._node:
            watch = mesh_pb2.Watch(address=address, node=self._node, stop=stop)
            self._signal(owner, mesh_pb2.Signal(watch=watch))

    # --- in, from peers ---

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        """Messages that a peer has committed, in its order. Where some were missed, the store is swept before these."""
        if missed_pushes:
            for sweeper in self.sweepers.values():
                await sweeper.sweep_all()
            self._ports.failpoint(Failpoint.GAP_SWEPT)
        for one in encoded:
            try:
                envelope = decode(one)
            except InvalidMessage as error:
                # What cannot be read cannot be placed; its row of mail is parked with the reason when it is swept.
                self._ports.report(PushRejected(peer, str(error)))
                continue
            shard = shard_of(envelope.key, self._limits.shards_per_kind)
            owned = self._owned.get(envelope.kind)
            if owned is not None and shard in owned:
                activations = self.activations[envelope.kind]
                if envelope.sent_at_s < self._since_s.get((envelope.kind, shard), 0.0):
                    activations.deliver_old(envelope, shard)
                else:
                    activations.deliver(envelope, shard)
            elif envelope.kind in self.sweepers:
                self.sweepers[envelope.kind].declined(shard)

    async def read_again(self) -> None:
        """Read all mail that waits, here and on every other node, before anything is sent or taken that comes later.

        For when others have committed what they may not have pushed. Who asks during a reading gets the next one, with
        all that ask meanwhile.
        """
        before = self._readings
        async with self._reading:
            if self._readings > before:
                return
            self._readings += 1
            if self._links is not None:
                self._links.request_resync_everywhere()
            for sweeper in self.sweepers.values():
                await sweeper.sweep_all()

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None:
        for signal in signals:
            match signal.WhichOneof("signal"):
                case "answer":
                    try:
                        self._calls.on_answer(signal.answer)
                    except (InvalidMessage, UnknownMessageType, DecodeError) as error:
                        self._ports.report(PushRejected(peer, f"answer to {signal.answer.call}: {error}"))
                case "watch":
                    self.watches.on_watch(signal.watch)
                case "changed":
                    self.watches.on_changed(signal.changed)
                case "look":
                    self.watches.on_look(signal.look)
                case "lend":
                    self._host(peer, signal.lend)
                case _:
                    pass  # a newer peer's signal; it is worth nothing by contract

    def _host(self, peer: str, lend: mesh_pb2.Lend) -> None:
        """Run what waits for an actor that the peer owns and cannot run."""
        try:
            kind, key = parse_address(lend.address)
        except InvalidMessage as error:
            self._ports.report(PushRejected(peer, f"lent {lend.address!r}: {error}"))
            return
        if kind in self.sweepers:
            shard = shard_of(key, self._limits.shards_per_kind)
            hosting = self.sweepers[kind].host((kind, key), shard, lend.died)
            self._ports.tasks.start(hosting, name=f"host {lend.address}")

    def on_peer_lost(self, peer: str) -> None:
        self.watches.forget(peer)

    # --- ownership, told by membership ---

    async def take_over(self, kind: str, shards: frozenset[int]) -> None:
        if kind not in self.sweepers:
            return
        # What these actors committed last may not have been pushed by whoever ran them then.
        await self.read_again()
        self._since_s.update({(kind, shard): self._ports.clock.now_s() for shard in sorted(shards)})
        await self.sweepers[kind].take_over(shards, {one: self.died.pop((kind, one), "") for one in sorted(shards)})

    async def release(self, kind: str, shards: frozenset[int]) -> None:
        if kind not in self.sweepers:
            return
        self.sweepers[kind].give_up(shards)
        self.watches.release(partial(self._is_in, kind, shards))
        activations = self.activations[kind]
        idle: asyncio.Future[None] = self._ports.tasks.new_future()
        activations.when_idle(shards, lambda: _finish(idle))
        await idle

    def _is_in(self, kind: str, shards: frozenset[int], address: str) -> bool:
        of_kind, _, key = address.partition("/")
        return of_kind == kind and shard_of(key, self._limits.shards_per_kind) in shards

    def _purges(self, kind: str) -> bool:
        """Whether the sweeper of this kind, here, is the one in the cluster: that of the first shard with an owner."""
        if self._shard_map is None:
            return kind == min(self.sweepers)
        owners = ((slot, owner) for slot, (owner, _) in self._moves.items() if owner)
        (first, shard), owner = min(owners, default=(("", 0), ""))
        return first == kind and owner == self._node and shard in self._owned[kind]

    def on_lease_lost(self, reason: str) -> None:
        for kind, activations in self.activations.items():
            self.sweepers[kind].give_up_all()
            activations.drop_all()

    def on_view(self, view: ClusterView) -> None:
        self._subscribers.replace((*self._static, *view.subscriptions))
        self._carriers.learn(view)
        self._tell_new_owners(view)
        places = (view.shards, tuple((node.name, node.incarnation) for node in view.nodes))
        if places != self._places:  # a new owner knows of no watchers
            self._places = places
            for address in self.watches.local:
                self.watch_remote(address)

    def _tell_new_owners(self, view: ClusterView) -> None:
        """What this node pushed to a former owner is lost, and must not be overtaken by what it pushes to the new."""
        moves = {(row.kind, row.shard): (row.owner, row.epoch) for row in view.shards}
        before, self._moves = self._moves, moves
        if self._links is not None and moves != before:
            gained = {owner for slot, (owner, epoch) in moves.items() if before.get(slot) != (owner, epoch)}
            for owner in sorted(gained - {"", self._node}):
                self._links.request_resync(owner)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
