"""Nodes that have nothing but a mesh, in one loop, over memory or over gRPC on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from runtime.adapters import AsyncioTasks, SystemClock
from runtime.backoff import Backoff
from runtime.errors import LinkLost
from runtime.gateway.server import GrpcServer
from runtime.mesh.channel import GrpcTransport
from runtime.mesh.handshake import accepted_hello, dialling_hello, hello_frame, proof_frame, read_hello
from runtime.mesh.peer import ask_hello
from runtime.mesh.peers import Identity, Mesh, MeshSettings, PeerAddress, PeerStatus
from runtime.ports import Accept, Clock, Fact, Link, Ports, Transport
from runtime.protos import mesh_pb2
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.wires import SimListener, SimNetwork

F = TypeVar("F", bound=Fact)

SECRET = "what only this store has"
_NONCE = b"n" * 16


class RecordingReceiver:
    """A receiver that keeps what it gets, and can be made to wait or to fail."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.gaps: list[int] = []  # how much was taken before each gap
        self.signals_taken: list[tuple[str, mesh_pb2.Signal]] = []
        self.reached_peers: list[str] = []
        self.lost_peers: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0
        self.error: Exception | None = None

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if missed_pushes:
            self.gaps.append(len(self.taken))
        self.taken.extend(encoded)

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None:
        self.signals_taken.extend((peer, signal) for signal in signals)

    def on_peer_reached(self, peer: str) -> None:
        self.reached_peers.append(peer)

    def on_peer_lost(self, peer: str) -> None:
        self.lost_peers.append(peer)


class MeshNode:
    """One node: its mesh, what it took, what it reported."""

    def __init__(self, name: str, identity: Identity, transport: Transport, ports: Ports, mesh: MeshSettings) -> None:
        self.name = name
        self.identity = identity
        self.ports = ports
        self.transport = transport
        self.receiver = RecordingReceiver()
        self.facts: list[Fact] = []
        self.mesh = Mesh(transport, ports, identity, self.receiver, mesh)
        self.address = ""

    @property
    def at(self) -> PeerAddress:
        return PeerAddress(self.address, self.identity.incarnation)

    def told(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def way_to(self, node: str) -> PeerStatus:
        return next(status for status in self.mesh.status() if status.node == node)

    def is_connected_to(self, node: str) -> bool:
        return any(status.node == node and status.connected for status in self.mesh.status())


class MeshWorld:
    """What a test runs in. Subclasses say what links are made of."""

    settings = MeshSettings()
    impatient = settings  # for tests that wait for a silence to be noticed

    def __init__(self) -> None:
        self.nodes: list[MeshNode] = []

    async def start(
        self, name: str, *, cluster: str = "shop", incarnation: str = "1", listen: str = "", secret: str = SECRET
    ) -> MeshNode:
        facts: list[Fact] = []
        ports = self._ports(facts.append)
        identity = Identity(cluster, name, incarnation, secret)
        node = MeshNode(name, identity, self._transport(name, ports), ports, self.settings)
        node.facts = facts
        node.address = await self.listen(name, node.mesh.accept, ports, listen)
        self.nodes.append(node)
        return node

    async def pair(self) -> tuple[MeshNode, MeshNode]:
        """Two nodes of one cluster, connected."""
        a, b = await self.start("a"), await self.start("b")
        self.introduce(a, b)
        await self.until(lambda: a.is_connected_to("b") and b.is_connected_to("a"))
        await self.until(lambda: a.receiver.gaps == [0] and b.receiver.gaps == [0])
        return a, b

    def introduce(self, *nodes: MeshNode) -> None:
        """Each learns of the others."""
        for node in nodes:
            node.mesh.set_peers({other.name: other.at for other in nodes if other is not node})

    async def until(self, holds: Callable[[], object], *, within_s: float = 20.0) -> None:
        clock = self.clock
        end_s = clock.monotonic_s() + within_s
        while not holds():
            assert clock.monotonic_s() < end_s, f"did not come true within {within_s} s"
            await clock.sleep(0.002)

    async def stop(self, node: MeshNode) -> None:
        """In good order."""
        self.nodes.remove(node)
        await node.mesh.close()
        await self.unlisten(node.address)
        await node.transport.close()

    async def end(self) -> None:
        """Everything stops, and nothing is left behind."""
        for node in list(self.nodes):
            node.receiver.open.set()
            await self.stop(node)
        await self.close()
        await self.until(lambda: len(asyncio.all_tasks()) == 1)

    # --- what differs ---

    clock: Clock

    def _ports(self, report: Callable[[Fact], None]) -> Ports:
        return Ports(self.clock, Dice(0, "ids"), Dice(0, "randomness"), AsyncioTasks(), report)

    def _transport(self, name: str, ports: Ports) -> Transport:
        raise NotImplementedError

    async def listen(self, name: str, accept: Accept, ports: Ports, where: str = "") -> str:
        """Serve streams; the address to dial."""
        raise NotImplementedError

    async def unlisten(self, address: str) -> None:
        raise NotImplementedError

    async def break_links(self, node: MeshNode) -> None:
        """All that the node has dialled, and none of those that dialled it."""
        raise NotImplementedError

    def outsider(self) -> tuple[Transport, Ports]:
        """Something that dials and is no node."""
        ports = self._ports(lambda fact: None)
        return self._transport("outsider", ports), ports

    async def close(self) -> None: ...


class MemoryWorld(MeshWorld):
    def __init__(self) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self.clock = VirtualClock(loop)
        self.network = SimNetwork(loop, Dice(0), lambda *_: None)
        self._listeners: dict[str, SimListener] = {}

    def _transport(self, name: str, ports: Ports) -> Transport:
        return self.network.transport(name)

    async def listen(self, name: str, accept: Accept, ports: Ports, where: str = "") -> str:
        listener = self.network.listen(where or name, accept, ports.tasks)
        self._listeners[listener.address] = listener
        return listener.address

    async def unlisten(self, address: str) -> None:
        await self._listeners.pop(address).close(0.0)

    async def break_links(self, node: MeshNode) -> None:
        for dialler, listener in self.network.streams:
            if dialler == node.name:
                self.network.tear(dialler, listener)

    async def close(self) -> None:
        for address in list(self._listeners):
            await self.unlisten(address)


class GrpcWorld(MeshWorld):
    """Patient, since on a slow machine a peer may be slow to speak; what takes its time here is not what is tested."""

    settings = MeshSettings(beat_s=0.05, silent_s=30.0, hello_s=30.0, redial=Backoff(0.0375, 0.15, jitter=1 / 3))
    impatient = replace(settings, silent_s=1.0, hello_s=1.0)

    def __init__(self) -> None:
        super().__init__()
        self.clock = SystemClock()
        self._servers: dict[str, GrpcServer] = {}
        self._transports: list[GrpcTransport] = []

    def _transport(self, name: str, ports: Ports) -> Transport:
        transport = GrpcTransport()
        self._transports.append(transport)
        return transport

    async def listen(self, name: str, accept: Accept, ports: Ports, where: str = "") -> str:
        server = GrpcServer(where or "127.0.0.1:0", ports)
        await server.start(accept)
        self._servers[server.address] = server
        return server.address

    async def unlisten(self, address: str) -> None:
        await self._servers.pop(address).close(0.0)

    async def break_links(self, node: MeshNode) -> None:
        await node.transport.close()  # of its links; it can dial new ones

    async def close(self) -> None:
        for address in list(self._servers):
            await self.unlisten(address)
        for transport in self._transports:
            await transport.close()


def identity_of(node: str, cluster: str = "shop", secret: str = SECRET) -> Identity:
    return Identity(cluster, node, "1", secret)


async def introduce_as(link: Link, own: Identity) -> mesh_pb2.Hello:
    """Say hello on a raw link as that node, and prove it; the other side's hello."""
    hello = dialling_hello(own, _NONCE)
    answer = await ask_hello(link, own, hello)
    await link.send(proof_frame(own, hello, answer))
    return answer


async def admit(link: Link, own: Identity) -> None:
    """Answer the hello of whoever dialled this raw link as that node, and take its proof for granted."""
    encoded = await link.receive()
    assert encoded is not None
    await link.send(hello_frame(accepted_hello(own, read_hello(encoded), _NONCE)))
    await link.receive()


async def converse(link: Link, *frames: bytes) -> list[mesh_pb2.Frame]:
    """Send frames on a raw link; all that comes back until the other side ends it."""
    heard = []
    try:
        for frame in frames:
            await link.send(frame)
        while (encoded := await link.receive()) is not None:
            heard.append(mesh_pb2.Frame.FromString(encoded))
    except LinkLost:
        pass
    await link.close()
    return heard
