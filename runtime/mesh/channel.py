"""Links over gRPC, as the node that dials has them.

    mesh ──frames──▶ DialledLink ──bytes──▶ grpc.aio ──▶ the peer's GrpcServer
    mesh ◀─LinkLost─ DialledLink ◀─AioRpcError, CancelledError, ...──┘

The stream carries bytes: frames are decoded by the mesh, so that a malformed one is its error and not grpc's.
Cancelling a read or a write of a grpc.aio stream kills the stream, so nobody does: a link is closed instead, and
whoever waits on it gets LinkLost.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from runtime.errors import LinkLost, NobodyListens
from runtime.ports import Link, Ports, Tasks

__all__ = ["ChannelSettings", "DialledLink", "GrpcTransport", "is_cancelled"]

STREAM_METHOD = "/amends.Peer/Stream"
_REFUSED = os.strerror(errno.ECONNREFUSED)  # grpc has no code for it: it is in the text


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How a node dials.

    Keepalive is the second net: it finds a dead machine under a link (about `keepalive_s` + `ping_timeout_s`);
    a blocked or frozen process is found by the heartbeats of the mesh.
    """

    connect_s: float = 5.0  # a connection that is not up by then has failed
    keepalive_s: float = 10.0
    ping_timeout_s: float = 5.0
    frame_bytes_max: int = 8 * 1024 * 1024  # of what a peer sends back; those are small


class GrpcTransport:
    """Dials peers. Each link has a connection of its own, so that no backoff inside grpc delays a redial."""

    def __init__(self, ports: Ports, settings: ChannelSettings | None = None) -> None:
        self._ports = ports
        self._options = channel_options(settings or ChannelSettings())
        self._links: dict[DialledLink, None] = {}

    async def dial(self, address: str) -> Link:
        """Open a stream to the node at host:port. Returns at once; a failure shows as LinkLost on first use.

        LinkLost is a NobodyListens when the machine says that no process has that port. The call has no deadline,
        since a link lives as long as its nodes: the mesh closes one that says no hello, or falls silent.
        """
        channel = grpc.aio.insecure_channel(address, options=self._options)
        stream: grpc.aio.StreamStreamMultiCallable[Any, Any] = channel.stream_stream(STREAM_METHOD)
        link = DialledLink(address, channel, stream(), self._ports.tasks, self._forget)
        self._links[link] = None
        return link

    async def close(self) -> None:
        for link in list(self._links):
            await link.close()

    def _forget(self, link: DialledLink) -> None:
        self._links.pop(link, None)


def channel_options(settings: ChannelSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.use_local_subchannel_pool", 1),  # else links to one address share a connection, and its backoff
        ("grpc.min_reconnect_backoff_ms", int(settings.connect_s * 1000)),  # doubles as the connect timeout
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.ping_timeout_s * 1000)),
        ("grpc.http2.ping_timeout_ms", int(settings.ping_timeout_s * 1000)),  # without it a frozen peer goes unseen
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", settings.frame_bytes_max),
        ("grpc.max_send_message_length", -1),  # the receiver's cap is the one that counts
        ("grpc.enable_retries", 0),
    ]


class DialledLink:
    """The dialling end of one stream."""

    def __init__(
        self,
        address: str,
        channel: grpc.aio.Channel,
        call: grpc.aio.StreamStreamCall[Any, Any],
        tasks: Tasks,
        closed: Callable[[DialledLink], None],
    ) -> None:
        self._address = address
        self._channel = channel
        self._call = call
        self._tasks = tasks
        self._closed = closed
        self._connecting: asyncio.Task[None] | None = None
        self._is_connected = False
        self._is_closed = False

    async def send(self, frame: bytes) -> None:
        try:
            if not self._is_connected:
                await self._connect()
            await self._call.write(frame)
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise self._lost(error) from error
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise self._lost(error) from error

    async def receive(self) -> bytes | None:
        try:
            frame = await self._call.read()
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise self._lost(error) from error
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise self._lost(error) from error
        return frame if isinstance(frame, bytes) else None

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._closed(self)
        if self._connecting is not None:
            self._connecting.cancel()
        self._call.cancel()
        await self._channel.close()

    async def _connect(self) -> None:
        """Wait for the connection where `close` can end the wait: grpc forgets a write that waits for it, once the
        call is cancelled, and would leave the sender waiting for good.
        """
        if self._is_closed:
            raise LinkLost(f"the link to {self._address} was closed on this side")
        self._connecting = self._tasks.start(self._call.wait_for_connection(), name="connect a link")
        try:
            await self._connecting
        finally:
            self._connecting = None
        self._is_connected = True

    def _lost(self, error: BaseException) -> LinkLost:
        if self._is_closed:
            return LinkLost(f"the link to {self._address} was closed on this side")
        if not isinstance(error, grpc.aio.AioRpcError):
            return LinkLost(f"the link to {self._address} has ended")
        details = error.details() or error.code().name
        if _REFUSED in details:
            return NobodyListens(f"nobody listens on {self._address}")
        return LinkLost(f"the link to {self._address} broke: {details}")


def is_cancelled() -> bool:
    """Whether a CancelledError is meant for the running task; grpc also raises it for a call that was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
