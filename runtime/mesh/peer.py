"""The way to one other node: a stream that this node dials, and dials again.

    Mesh.push ──▶ Peer ──▶ FrameStream ──frames──▶ the other node
                    └─ no stream now: shed

    dial ─▶ hello ─▶ connected ─▶ lost ─▶ pause (doubling, with jitter) ─▶ dial ...
                └─▶ refused ─▶ long pause ─▶ dial ...

What is shed is in the store, and the first frame of the next stream makes the other node look there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import InvalidMessage, LinkLost, PeerRefused
from runtime.failpoints import Failpoint
from runtime.mesh.facts import PeerConnected, PeerLost, PeerRejected, PeerUnreachable
from runtime.mesh.frame_stream import FrameStream, MeshSettings
from runtime.mesh.frames import goodbye_frame, without_body
from runtime.mesh.handshake import (
    Identity,
    agreed_protocol,
    check_acceptor,
    dialling_hello,
    hello_frame,
    proof_frame,
    read_hello,
)
from runtime.ports import Link, Ports, Transport
from runtime.protos import mesh_pb2

__all__ = ["Peer", "PeerAddress", "PeerStatus", "ask_hello"]


@dataclass(frozen=True, slots=True)
class PeerAddress:
    address: str  # host:port
    incarnation: str


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How the way to one node is. Counts are since it became a peer."""

    node: str
    address: str
    connected: bool
    queued: int
    sent: int  # messages and signals
    shed: int
    last_beat_at_s: float  # when the node was last heard of on this stream; 0 when never
    reason: str  # why it is not connected


class Peer:
    """Start `run` as a task; it ends after `leave`."""

    def __init__(
        self,
        node: str,
        at: PeerAddress,
        own: Identity,
        transport: Transport,
        ports: Ports,
        settings: MeshSettings,
        reached: Callable[[str], None],
    ) -> None:
        """`reached` is told the name of the node whenever there is a new stream to the node."""
        self.node = node
        self.at = at
        self._own = own
        self._transport = transport
        self._ports = ports
        self._settings = settings
        self._tell_reached = reached
        self._stream: FrameStream | None = None
        self._link: Link | None = None  # the link, during its handshake
        self._pause: asyncio.Future[None] | None = None
        self._failures = 0  # failures in a row
        self._refused = False
        self._leaving = ""
        self._reason = "not dialled yet"
        self._sent = 0
        self._shed = 0

    def push(self, encoded: bytes) -> bool:
        """Queue an encoded Envelope; False when it was shed."""
        stream = self._stream
        if stream is None:
            self._shed += 1
            return False
        return stream.push(encoded)

    def signal(self, signal: mesh_pb2.Signal) -> bool:
        """Queue a signal, without its body when it does not fit; False when it is lost."""
        stream = self._stream
        if stream is None:
            self._shed += 1
            return False
        if stream.signal(signal.SerializeToString()):
            return True
        short = without_body(signal)
        return short is not None and stream.signal(short.SerializeToString())

    def request_resync(self) -> None:
        """The next frame, sent now, tells of missed pushes. A new stream begins with this anyway."""
        if self._stream is not None:
            self._stream.request_resync()

    def beat(self) -> None:
        if self._stream is not None:
            self._stream.beat()

    def hurry(self) -> None:
        """The node was just heard of: do not wait longer to dial it, unless it refused us."""
        if not self._refused:
            self._wake()

    def leave(self, reason: str) -> None:
        """Say goodbye and dial no more."""
        self._leaving = self._leaving or reason
        if self._stream is not None:
            self._stream.leave(reason)
        elif self._link is not None:
            self._close(self._link)
        self._wake()

    def status(self) -> PeerStatus:
        stream = self._stream
        box = stream.queue if stream is not None else None
        return PeerStatus(
            self.node,
            self.at.address,
            connected=stream is not None,
            queued=box.queued if box is not None else 0,
            sent=self._sent + (box.sent if box is not None else 0),
            shed=self._shed + (box.shed if box is not None else 0),
            last_beat_at_s=stream.last_beat_at_s if stream is not None else 0.0,
            reason="" if stream is not None else self._reason,
        )

    async def run(self) -> None:
        """Keep a stream to the node until `leave`."""
        while not self._leaving:
            self._refused = False
            try:
                link, hello = await self._connect()
            except LinkLost as error:
                self._failed(error)
            except (PeerRefused, InvalidMessage) as error:
                self._was_refused(error)
            else:
                await self._use(link, hello)
            if not self._leaving:
                await self._wait()

    async def _connect(self) -> tuple[Link, mesh_pb2.Hello]:
        self._link = link = await self._transport.dial(self.at.address)
        timer = self._ports.clock.call_later(self._settings.hello_s, self._close, link)
        try:
            own_hello = dialling_hello(self._own, self._ports.ids.new_id())
            hello = await ask_hello(link, self._own, own_hello)
            self._check_node(hello)
            await link.send(proof_frame(self._own, own_hello, hello))
        except PeerRefused as error:
            await _refuse(link, str(error))
            raise
        except (LinkLost, InvalidMessage):
            await link.close()
            raise
        finally:
            timer.cancel()
            self._link = None
        return link, hello

    def _check_node(self, hello: mesh_pb2.Hello) -> None:
        if (hello.node, hello.incarnation) != (self.node, self.at.incarnation):
            raise PeerRefused(
                f"{self.at.address} is node {hello.node!r} in its incarnation {hello.incarnation}, "
                f"not {self.node!r} in {self.at.incarnation}"
            )

    async def _use(self, link: Link, hello: mesh_pb2.Hello) -> None:
        protocol = agreed_protocol(self._own, hello)
        stream = FrameStream(self.node, link, self._ports, self._settings, frame_bytes_max=hello.frame_bytes_max)
        began_s = self._ports.clock.monotonic_s()
        self._ports.report(PeerConnected(self.node, self.at.address, protocol))
        self._stream = stream
        self._ports.failpoint(Failpoint.STREAM_OPENED)
        if self._leaving:
            stream.leave(self._leaving)
        else:
            self._tell_reached(self.node)
        try:
            await stream.run()
        finally:
            self._stream = None
            self._sent += stream.queue.sent
            self._shed += stream.queue.shed + stream.queue.queued
        self._reason = stream.reason
        if not self._leaving:
            self._ports.report(PeerLost(self.node, self.at.address, stream.reason))
        # A link that breaks as soon as it is up is no better than none.
        lived = self._ports.clock.monotonic_s() - began_s >= self._settings.redial.longest_s
        self._failures = 0 if lived else self._failures + 1

    def _failed(self, error: LinkLost) -> None:
        self._failures += 1
        if self._failures == 1 and not self._leaving:
            self._ports.report(PeerUnreachable(self.node, self.at.address, str(error)))
        self._reason = str(error)

    def _was_refused(self, error: PeerRefused | InvalidMessage) -> None:
        self._refused = True
        self._reason = error.details if isinstance(error, PeerRefused) else str(error)
        if not self._leaving:
            self._ports.report(PeerRejected(self.node, self.at.address, self._reason))

    # --- pauses ---

    async def _wait(self) -> None:
        """Until it is time to dial again, or `hurry`, or `leave`."""
        delay_s = self._settings.refused_s if self._refused else self._redial_s()
        self._pause = asyncio.get_running_loop().create_future()
        timer = self._ports.clock.call_later(delay_s, self._wake)
        await self._pause
        self._pause = None
        timer.cancel()

    def _redial_s(self) -> float:
        return self._settings.redial.pause_s(self._failures, self._ports.randomness.fraction())

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def _close(self, link: Link) -> None:
        self._ports.tasks.start(link.close(), name="close a link")


async def ask_hello(link: Link, own: Identity, own_hello: mesh_pb2.Hello) -> mesh_pb2.Hello:
    """Say hello on a new link, and wait for the other side's and its proof.

    Raises LinkLost, InvalidMessage, and PeerRefused when either side refuses the other.
    """
    await link.send(hello_frame(own_hello))
    encoded = await link.receive()
    if encoded is None:
        raise LinkLost("the other side ended the stream before it said hello")
    hello = read_hello(encoded)
    agreed_protocol(own, hello)
    check_acceptor(own, own_hello, hello)
    return hello


async def _refuse(link: Link, reason: str) -> None:
    try:
        await link.send(goodbye_frame(reason))
    except LinkLost:
        pass  # The other side is gone already.
    await link.close()
