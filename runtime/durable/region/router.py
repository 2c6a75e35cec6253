"""Where messages find their way: to an actor in this process, to the owner's peer, or nowhere: the store has them.

    gateway ──post──▶ committer ──committed──▶ Router.route ─┬─▶ Residents    this node owns the shard
    turn ────draft──▶ committer ──committed──▶     "         ├─▶ Links.push   another node does
    mesh ────────────pushes──────────────────▶     "         └─▶ nothing      nobody does: swept by whoever will

Beside messages the router carries what is worth nothing after a crash: answers to calls, news for who watches an
actor, and requests to run what another node owns and cannot run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from google.protobuf.message import DecodeError, Message

from runtime.durable.region.remote_watches import RemoteWatches
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.residence.activation import Activation
from runtime.durable.waiting.calls import PendingCalls
from runtime.durable.waiting.unsent_answers import UnsentAnswers
from runtime.durable.waiting.watches import StateWatches
from runtime.envelope import Envelope, address_of, decode, parse_address, shard_of
from runtime.errors import InvalidMessage, UnknownMessageType
from runtime.failpoints import Failpoint
from runtime.ports import Fact, Ports
from runtime.protos import durable_pb2, mesh_pb2
from runtime.store.records import ActorRow

__all__ = ["Links", "PushRejected", "Router", "ShardMap"]

_DELIVERED = Failpoint.DELIVERED_HERE  # looked up once, since each message passes it


@dataclass(frozen=True, slots=True)
class PushRejected(Fact):
    """Bytes that a peer sent are no message that this node can place."""

    level: ClassVar[str] = "error"
    peer: str
    error: str


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


class Router:
    """The way to all durable actors, on this node and on others."""

    def __init__(self, ports: Ports, *, node: str, shards_per_kind: int, calls: PendingCalls) -> None:
        self.node = node
        self.shard_map: ShardMap | None = None
        self.links: Links | None = None
        self.sweepers: dict[str, Sweeper] = {}  # by kind, of those that this node hosts
        self.watches = StateWatches(self.signal)
        self.remote_watches = RemoteWatches(node, self.watches, self.signal, self.shard_of)
        self._ports = ports
        self._shards_per_kind = shards_per_kind
        self.calls = calls
        self._unsent = UnsentAnswers()

    def connect(self, shard_map: ShardMap, links: Links) -> None:
        """Hand over what is made after this; before it, everything waits in the store."""
        self.shard_map = shard_map
        self.links = links

    def shard_of(self, key: str) -> int:
        return shard_of(key, self._shards_per_kind)

    # --- out ---

    def route(self, envelope: Envelope) -> None:
        """Send a committed message on its way."""
        if envelope.due_at_s > envelope.sent_at_s:
            return  # It was sent for later, whatever the clock says now: the sweep of its owner finds it in time.
        kind = envelope.kind
        shard = shard_of(envelope.key, self._shards_per_kind)
        sweeper = self.sweepers.get(kind)
        if sweeper is not None and shard in sweeper.ownership.live:
            sweeper.residents.deliver(envelope, shard)
            self._ports.failpoint(_DELIVERED)
        elif self.shard_map is not None and self.links is not None:
            owner = self.shard_map.owner_of(kind, shard)
            if owner is not None and owner != self.node:
                self.links.push(owner, envelope.encoded)
                self._ports.failpoint(Failpoint.PUSH_QUEUED)
                return
            if sweeper is not None:
                sweeper.ownership.on_declined_push(shard)
            self._ports.failpoint(Failpoint.PUSH_UNOWNED)

    def is_here(self, envelope: Envelope) -> bool:
        """See Outlet."""
        sweeper = self.sweepers.get(envelope.kind)
        return sweeper is not None and shard_of(envelope.key, self._shards_per_kind) in sweeper.ownership.live

    def expect(self, envelope: Envelope) -> None:
        """See Outlet."""
        sweeper = self.sweepers.get(envelope.kind)
        if sweeper is not None and sweeper.residents.chains.reads_rows and self.is_here(envelope):
            sweeper.residents.chains.expect(envelope.address, shard_of(envelope.key, self._shards_per_kind))

    def borrow(self, envelope: Envelope) -> Activation | None:
        """See Outlet: an actor of this node, by the same rules by which a push would be delivered."""
        sweeper = self.sweepers.get(envelope.kind)
        shard = shard_of(envelope.key, self._shards_per_kind)
        if sweeper is None or shard not in sweeper.ownership.live:
            return None
        return sweeper.residents.chains.borrow(envelope, shard)

    def takes_unposted(self, command: Envelope) -> bool:
        """Whether an idle actor of this node may handle a client's command before that is mail, if there is one."""
        sweeper = self.sweepers.get(command.kind)
        return sweeper is not None and sweeper.residents.chains.take_commands and self.is_here(command)

    def arm_timers(self, row: ActorRow, timers: Iterable[durable_pb2.Timer]) -> None:
        """Have the timers of an actor fire on time, as a commit has left them."""
        self.sweepers[row.kind].timers.arm(row, timers)

    def tell_watchers(self, row: ActorRow) -> None:
        """Tell who watches an actor of what a commit has made of it."""
        if not self.watches.is_empty:
            self.watches.committed(address_of(*row.address), row)

    def answer(self, call: str, message: Message | None, fault: str, id: bytes) -> None:
        """Tell a client what its call has come to. The call names its node; `id` is that of the command."""
        if self.calls.is_local(call):
            self.calls.resolve(call, message, fault, id)
            return
        wire = mesh_pb2.Answer(call=call, fault=fault, message=id)
        if message is not None:
            wire.type = message.DESCRIPTOR.full_name
            wire.body = message.SerializeToString()
        self._send_answer(call.partition("#")[0], mesh_pb2.Signal(answer=wire))
        self._ports.failpoint(Failpoint.ANSWER_QUEUED)

    def _send_answer(self, node: str, answer: mesh_pb2.Signal) -> None:
        if not self.signal(node, answer):
            self._unsent.add(node, answer)

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        """Send a signal, best effort. False: it is lost."""
        return self.links is not None and self.links.signal(node, signal)

    # --- in, from peers ---

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        """Messages that a peer has committed, in its order. Where some were missed, the store is swept before these."""
        if missed_pushes:
            await self.sweep_all()
            self._ports.failpoint(Failpoint.GAP_SWEPT)
        for one in encoded:
            try:
                envelope = decode(one)
            except InvalidMessage as error:
                # What cannot be read cannot be placed. A sweep parks its row of mail, with the reason.
                self._ports.report(PushRejected(peer, str(error)))
                continue
            sweeper = self.sweepers.get(envelope.kind)
            if sweeper is not None:
                self._take(envelope, sweeper)

    def _take(self, envelope: Envelope, sweeper: Sweeper) -> None:
        shard, ownership = shard_of(envelope.key, self._shards_per_kind), sweeper.ownership
        if shard not in ownership.live:
            ownership.on_declined_push(shard)
        elif envelope.sent_at_s < ownership.since_s.get(shard, 0.0):
            sweeper.residents.deliver_old(envelope, shard)
        else:
            sweeper.residents.deliver(envelope, shard)

    async def sweep_all(self) -> None:
        """Deliver all mail that waits here."""
        for sweeper in self.sweepers.values():
            await sweeper.sweep_all()

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None:
        for signal in signals:
            match signal.WhichOneof("signal"):
                case "answer":
                    try:
                        self.calls.on_answer(signal.answer)
                    except (InvalidMessage, UnknownMessageType, DecodeError) as error:
                        self._ports.report(PushRejected(peer, f"answer to {signal.answer.call}: {error}"))
                case "watch":
                    self.watches.on_watch(signal.watch)
                case "changed":
                    self.watches.on_changed(signal.changed)
                case "look":
                    self.watches.on_look(signal.look)
                case "lend":
                    self._run_guest(peer, signal.lend)
                case _:
                    pass  # A newer peer has sent it. Signals may be lost by contract, so it is ignored.

    def _run_guest(self, peer: str, lend: mesh_pb2.Lend) -> None:
        """Run what waits for an actor that the peer owns and cannot run."""
        try:
            kind, key = parse_address(lend.address)
        except InvalidMessage as error:
            self._ports.report(PushRejected(peer, f"lent {lend.address!r}: {error}"))
            return
        if kind in self.sweepers:
            running = self.sweepers[kind].run_guest((kind, key), self.shard_of(key), lend.died)
            self._ports.tasks.start(running, name=f"guest {lend.address}")

    def on_peer_reached(self, peer: str) -> None:
        for answer in self._unsent.take(peer):
            self._send_answer(peer, answer)
        self.remote_watches.on_peer_reached(peer)

    def on_peer_lost(self, peer: str) -> None:
        self.watches.forget(peer)
