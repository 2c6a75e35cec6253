"""A stream that another node dialled: its pushes and signals come in here.

    link ──hello, proof──▶ greet ──▶ Inbound ──pushes, one frame at a time──▶ Receiver
                      └─ refused, or only asked who is here: goodbye

The newest stream of a node is the only one: an older one is ended, and what it was doing is waited for, so that
nothing of it can come after something of its successor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from runtime.errors import InvalidMessage, LinkLost, PeerRefused
from runtime.mesh.facts import FrameRejected, PeerRejected, ReceiverFailed
from runtime.mesh.frame_stream import FrameStream, MeshSettings
from runtime.mesh.frames import goodbye_frame
from runtime.mesh.handshake import (
    Identity,
    accepted_hello,
    agreed_protocol,
    check_dialler,
    check_nonce,
    hello_frame,
    read_hello,
)
from runtime.ports import Link, Ports
from runtime.protos import mesh_pb2

__all__ = ["Inbound", "Receiver", "greet"]

_NAME_SHOWN_MAX = 64  # characters of what a stranger calls itself


class Receiver(Protocol):
    """Who takes what other nodes send."""

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        """Take encoded envelopes, in the order of their commits. The peer's next frame is read when this returns.

        With `missed_pushes` some were shed before these, or on an earlier stream: sweep the store before taking these,
        of which there may be none.
        """
        ...

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None: ...

    def on_peer_reached(self, peer: str) -> None:
        """There is a stream to a node. What was signalled to the node before this is lost, unless it has arrived."""
        ...

    def on_peer_lost(self, peer: str) -> None:
        """The stream that a node dialled has ended, and with it all that the node asked for by signals."""
        ...


class Inbound:
    """One accepted stream after the handshake."""

    def __init__(
        self,
        peer: str,
        link: Link,
        ports: Ports,
        settings: MeshSettings,
        receiver: Receiver,
        before: Inbound | None,
    ) -> None:
        self.peer = peer
        self._before = before  # an older stream of the same node
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ports = ports
        self._receiver = receiver
        self.stream = FrameStream(peer, link, ports, settings, self._take)
        self.stream.queue.missed_pushes = False  # nothing is ever pushed on this end

    async def run(self) -> None:
        """Take what comes until the stream ends."""
        if self._before is not None:
            self._before.stream.drop("a newer stream has taken its place")
        try:
            await self.stream.run()
            await self._after_the_older()
            self._receiver.on_peer_lost(self.peer)
        finally:
            self._ended.set_result(None)

    async def ended(self) -> None:
        """Wait until nothing of it is under way any more."""
        await asyncio.shield(self._ended)

    async def _after_the_older(self) -> None:
        if self._before is not None:
            before, self._before = self._before, None
            await before.ended()

    async def _take(self, frame: mesh_pb2.Frame) -> None:
        await self._after_the_older()
        try:
            if frame.pushes or frame.gap:
                await self._receiver.on_pushes(self.peer, list(frame.pushes), frame.gap)
            if frame.signals:
                self._receiver.on_signals(self.peer, self._decoded(frame.signals))
        except Exception as error:  # noqa: BLE001 - the link's edge: a failing receiver costs this link, not the node
            self._ports.report(ReceiverFailed(self.peer, error))
            self.stream.leave("the receiver failed")

    def _decoded(self, encoded: Sequence[bytes]) -> list[mesh_pb2.Signal]:
        signals = []
        for one in encoded:
            try:
                signals.append(mesh_pb2.Signal.FromString(one))
            except DecodeError:
                self._ports.report(FrameRejected(self.peer, f"{len(one)} bytes are no signal"))
        return signals


async def greet(link: Link, own: Identity, ports: Ports, settings: MeshSettings) -> mesh_pb2.Hello | None:
    """Answer the hello of whoever dialled. None when nothing is to be taken from it, and the link is done with."""
    peer = ""
    timer = ports.clock.call_later(settings.hello_s, lambda: ports.tasks.start(link.close(), name="close a link"))
    try:
        encoded = await link.receive()
        if encoded is None:
            return None
        hello = read_hello(encoded)
        peer = hello.node
        agreed_protocol(own, hello)
        check_nonce(hello)
        answer = accepted_hello(own, hello, ports.ids.new_id(), settings.frame_bytes_max)
        await link.send(hello_frame(answer))
        if not hello.node or hello.node == own.node:
            return None  # The other side only asks who is here, and nothing is taken from it.
        encoded = await link.receive()
        if encoded is None:
            return None
        check_dialler(own, hello, answer, encoded)
    except LinkLost:
        return None
    except (PeerRefused, InvalidMessage) as error:
        details = error.details if isinstance(error, PeerRefused) else str(error)
        ports.report(PeerRejected(peer[:_NAME_SHOWN_MAX], "", details))
        await _say_goodbye(link, str(error))
        return None
    finally:
        timer.cancel()
    return hello


async def _say_goodbye(link: Link, reason: str) -> None:
    """Tell the other side why, if it still listens."""
    try:
        await link.send(goodbye_frame(reason))
    except LinkLost:
        pass
