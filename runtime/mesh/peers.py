"""All links of one node with the others: the ways to its peers, and the streams that they dialled.

    shards ──on_view──▶      Mesh ──▶ Peer ──dials──▶ other nodes       (one stream for what goes out)
    router ──push, signal──▶  "
    server ──accept──▶        "   ──▶ Inbound ──on_pushes, on_signals, on_peer_lost──▶ router   (one for what comes in)

The mesh is the fast path only. What it sheds or loses is in the store, and a frame that tells of missed pushes makes
the receiver look there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from runtime.errors import DeadlineExceeded, InvalidMessage, LinkLost, PeerRefused, PortClosed
from runtime.mesh.frame_stream import MeshSettings
from runtime.mesh.handshake import Identity, dialling_hello
from runtime.mesh.inbound import Inbound, Receiver, greet
from runtime.mesh.peer import Peer, PeerAddress, PeerStatus, ask_hello
from runtime.ports import Cancellable, Link, Ports, Transport
from runtime.protos import mesh_pb2
from runtime.store.records import ClusterView

__all__ = ["Identity", "Mesh", "MeshSettings", "PeerAddress", "PeerStatus", "Receiver", "who_answers"]

_CLOSING = "the node is shutting down"


class Mesh:
    """Make it, hand `accept` to the server and the members to `set_peers`; `close` ends it for good."""

    def __init__(
        self,
        transport: Transport,
        ports: Ports,
        identity: Identity,
        receiver: Receiver,
        settings: MeshSettings | None = None,
    ) -> None:
        self._transport = transport
        self._ports = ports
        self._identity = identity
        self._receiver = receiver
        self.settings = settings or MeshSettings()
        self._peers: dict[str, Peer] = {}
        self._inbound: dict[str, Inbound] = {}  # by node: its newest stream
        self._running: dict[asyncio.Task[None], None] = {}
        self._ticker: Cancellable | None = None
        self._is_closed = False

    # --- out ---

    def push(self, node: str, encoded: bytes) -> bool:
        """Send an encoded Envelope that is in the store already. False: shed, so that the node's sweep has to find it.

        It is shed when the node is unknown or not connected, or when it takes less than it gets.
        """
        peer = self._peers.get(node)
        return peer is not None and peer.push(encoded)

    def signal(self, node: str, signal: mesh_pb2.Signal) -> bool:
        """Send a signal, best effort. False: it is lost.

        What it carries may be left out where it does not fit: the receiver is told to look into the store.
        """
        peer = self._peers.get(node)
        return peer is not None and peer.signal(signal)

    def request_resync(self, node: str) -> None:
        """What was committed for a node may have been pushed elsewhere, or by nobody: have it look into the store."""
        peer = self._peers.get(node)
        if peer is not None:
            peer.request_resync()

    def request_resync_everywhere(self) -> None:
        """Request a resync of all nodes, e.g. after this one has taken over what its predecessor had to push."""
        for peer in self._peers.values():
            peer.request_resync()

    def on_view(self, view: ClusterView) -> None:
        """Take the members of the cluster for peers."""
        self.set_peers({row.name: PeerAddress(row.address, row.incarnation) for row in view.nodes})

    def set_peers(self, peers: Mapping[str, PeerAddress]) -> None:
        """The members as they are now. New ones are dialled, and so are those with a new address; others are left."""
        if self._is_closed:
            return
        for node, peer in list(self._peers.items()):
            if peers.get(node) != peer.at:
                del self._peers[node]
                peer.leave("this node is no longer a member" if node not in peers else "the node has moved")
        for node, at in peers.items():
            if node not in self._peers and node != self._identity.node:
                self._start(node, at)

    def status(self) -> list[PeerStatus]:
        """The ways to all peers, by name."""
        return [self._peers[node].status() for node in sorted(self._peers)]

    def _start(self, node: str, at: PeerAddress) -> None:
        reached = self._receiver.on_peer_reached
        peer = Peer(node, at, self._identity, self._transport, self._ports, self.settings, reached)
        self._peers[node] = peer
        task = self._ports.tasks.start(peer.run(), name=f"peer {node}")
        self._running[task] = None
        task.add_done_callback(self._forget)
        self._start_ticking()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)

    # --- in ---

    async def accept(self, link: Link) -> None:
        """Serve one stream that another node dialled; returns when it has ended."""
        if self._is_closed:
            return  # It gets no goodbye: that would be a refusal, and this node may be back in a moment.
        hello = await greet(link, self._identity, self._ports, self.settings)
        if hello is None or self._is_closed:
            return
        node = hello.node
        before = self._inbound.get(node)
        inbound = Inbound(node, link, self._ports, self.settings, self._receiver, before)
        self._inbound[node] = inbound
        self._start_ticking()
        if node in self._peers:
            self._peers[node].hurry()
        try:
            await inbound.run()
        finally:
            if self._inbound.get(node) is inbound:
                del self._inbound[node]

    # --- heartbeats ---

    def _start_ticking(self) -> None:
        if self._ticker is None:
            self._ticker = self._ports.clock.call_later(self.settings.beat_s, self._tick)

    def _tick(self) -> None:
        self._ticker = self._ports.clock.call_later(self.settings.beat_s, self._tick)
        for peer in list(self._peers.values()):
            peer.beat()
        for inbound in list(self._inbound.values()):
            inbound.stream.beat()

    # --- the end ---

    async def close(self) -> None:
        """Say goodbye to all, after what is queued; a peer that does not end its streams in time is left."""
        self._is_closed = True
        for peer in self._peers.values():
            peer.leave(_CLOSING)
        self._peers.clear()
        inbounds = list(self._inbound.values())
        for inbound in inbounds:
            inbound.stream.leave(_CLOSING)
        for task in list(self._running):
            await task
        for inbound in inbounds:
            await inbound.ended()
        if self._ticker is not None:
            self._ticker.cancel()


async def who_answers(
    transport: Transport, address: str, identity: Identity, timeout_s: float, ports: Ports
) -> mesh_pb2.Hello | None:
    """Ask who answers at host:port. None when certainly no node of this cluster does.

    Raises DeadlineExceeded when that can't be told: nobody answered in time, or the connection broke.
    """
    link = await transport.dial(address)
    timer = ports.clock.call_later(timeout_s, lambda: ports.tasks.start(link.close(), name="close a link"))
    try:
        asker = Identity(identity.cluster, "", "", identity.secret)
        return await ask_hello(link, asker, dialling_hello(asker, ports.ids.new_id()))
    except (PortClosed, PeerRefused, InvalidMessage):
        return None
    except LinkLost as error:
        raise DeadlineExceeded(f"no telling who is at {address}: {error}") from error
    finally:
        timer.cancel()
        await link.close()
