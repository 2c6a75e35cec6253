"""Links over gRPC, as the node that dials has them.

    mesh ──frames──▶ DialledLink ──bytes──▶ grpc.aio ──▶ the peer's PeerServicer
    mesh ◀─LinkLost─ DialledLink ◀─AioRpcError, CancelledError, ...──┘

The stream carries bytes: frames are decoded by the mesh, so that a malformed one is its error and not grpc's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from runtime.errors import LinkLost, PortClosed
from runtime.mesh.link import GrpcLink
from runtime.ports import Link

__all__ = ["ChannelSettings", "DialledLink", "GrpcTransport"]

STREAM_METHOD = "/amends.Peer/Stream"
_REFUSED = os.strerror(errno.ECONNREFUSED)  # grpc has no code for a refused connection: the text of the error says it


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How a node dials.

    Keepalive is the second net: it finds a dead machine under a link (about `keepalive_s` + `ping_timeout_s`);
    a blocked or frozen process is found by the heartbeats of the mesh.
    """

    connect_s: float = 5.0  # a connection that is not up by then has failed
    keepalive_s: float = 10.0
    ping_timeout_s: float = 5.0
    frame_bytes_max: int = 8 * 1024 * 1024  # of a frame that a peer sends back; such frames are small


class GrpcTransport:
    """Dials peers. Each link has a connection of its own, so that no backoff inside grpc delays a redial."""

    def __init__(self, settings: ChannelSettings | None = None) -> None:
        self._options = channel_options(settings or ChannelSettings())
        self._links: dict[DialledLink, None] = {}

    async def dial(self, address: str) -> Link:
        """Open a stream to the node at host:port. Returns at once; a failure shows as LinkLost on first use.

        LinkLost is a PortClosed when the machine says that no process has that port. The call has no deadline,
        since a link lives as long as its nodes: the mesh closes one that says no hello, or falls silent.
        """
        channel = grpc.aio.insecure_channel(address, options=self._options)
        stream: grpc.aio.StreamStreamMultiCallable[Any, Any] = channel.stream_stream(STREAM_METHOD)
        link = DialledLink(address, channel, stream(), self._forget)
        self._links[link] = None
        return link

    async def close(self) -> None:
        for link in list(self._links):
            await link.close()

    def _forget(self, link: DialledLink) -> None:
        self._links.pop(link, None)


def channel_options(settings: ChannelSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.use_local_subchannel_pool", 1),  # otherwise links to one address share a connection and its backoff
        ("grpc.min_reconnect_backoff_ms", int(settings.connect_s * 1000)),  # doubles as the connect timeout
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.ping_timeout_s * 1000)),
        ("grpc.http2.ping_timeout_ms", int(settings.ping_timeout_s * 1000)),  # without it a frozen peer goes unseen
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", settings.frame_bytes_max),
        ("grpc.max_send_message_length", -1),  # the receiver's cap is the one that counts
        ("grpc.enable_retries", 0),
    ]


class DialledLink(GrpcLink):
    """The dialling end of one stream."""

    def __init__(
        self,
        address: str,
        channel: grpc.aio.Channel,
        call: grpc.aio.StreamStreamCall[Any, Any],
        closed: Callable[[DialledLink], None],
    ) -> None:
        super().__init__()
        self._address = address
        self._channel = channel
        self._call = call
        self._closed = closed

    async def send(self, frame: bytes) -> None:
        self._check()
        await self._wait(self._call.write(frame))

    async def receive(self) -> bytes | None:
        self._check()
        frame = await self._wait(self._call.read())
        return frame if isinstance(frame, bytes) else None

    async def close(self) -> None:
        if self._is_over:
            return
        self._closed(self)
        self._call.cancel()
        self._interrupt()
        await self._channel.close()

    def _lost(self, error: BaseException | None) -> LinkLost:
        if self._is_over:
            return LinkLost(f"the link to {self._address} was closed on this side")
        if not isinstance(error, grpc.aio.AioRpcError):
            return LinkLost(f"the link to {self._address} has ended")
        details = error.details() or error.code().name
        if _REFUSED in details:
            return PortClosed(f"nobody listens on {self._address}")
        return LinkLost(f"the link to {self._address} broke: {details}")
