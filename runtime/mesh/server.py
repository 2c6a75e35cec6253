"""The one gRPC server of a node: clients, operators, health checks and peers all come in here.

    host ──add servicers──▶ GrpcServer.grpc ──start──▶ one port
    a peer dials ──▶ Peer.Stream ──AcceptedLink──▶ accept (the mesh)

Foreign exceptions end here: a port that cannot be had is AddressInUse or InvalidSettings, a broken stream is LinkLost.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from runtime.errors import AddressInUse, AmendsError, LinkLost
from runtime.mesh.link import GrpcLink
from runtime.mesh.listening import is_wildcard, places_of
from runtime.ports import Accept, Ports

__all__ = ["AcceptedLink", "GrpcServer", "ServerSettings", "frame_limit"]

_FRAME_SLACK_BYTES = 1024 * 1024  # a frame is one message of any size, or many of 256 KiB in all, and its wrapping


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Limits of a node's server.

    A connection lives for about `connection_age_s`: the handshake of the next one sees new certificates. Streams
    on it have `connection_grace_s` more to end by themselves.
    """

    message_bytes_max: int = 1024 * 1024  # of one message for an actor; frames and requests may be a little larger
    calls_max: int = 10_000  # at once; more are answered RESOURCE_EXHAUSTED
    connection_age_s: float = 3600.0
    connection_grace_s: float = 30.0
    handshake_s: float = 10.0
    keepalive_s: float = 10.0
    ping_timeout_s: float = 5.0
    advertise: str = ""  # host:port that others dial, where it is not the one listened on


class GrpcServer:
    """Add servicers to `grpc`, then `start` once, then `close` once."""

    def __init__(
        self,
        listen: str,
        ports: Ports,
        settings: ServerSettings | None = None,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        self._listen = listen
        self._tasks = ports.tasks
        self._settings = settings or ServerSettings()
        self._address = ""
        self._accept: Accept | None = None
        self._links: dict[AcceptedLink, None] = {}
        self.grpc: grpc.aio.Server = grpc.aio.server(
            interceptors=list(interceptors),
            options=server_options(self._settings),
            maximum_concurrent_rpcs=self._settings.calls_max,
        )

    @property
    def address(self) -> str:
        """host:port that others dial: as advertised, else with the port that 0 became. Empty before `start`."""
        return self._address

    async def start(self, accept: Accept) -> None:
        """Listen on all that the address means, or not at all.

        Raises AddressInUse when another process has the port, InvalidSettings when it can't be had.
        """
        self._accept = accept
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._stream)
        self.grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("amends.Peer", {"Stream": handler}),))
        try:
            port = await self._listens()
        except AmendsError:
            await self.grpc.stop(None)
            raise
        await self.grpc.start()
        host = self._listen.rpartition(":")[0]
        if is_wildcard(host):
            host = socket.gethostname()  # replay: a real server, which no simulated node has
        self._address = self._settings.advertise or f"{host}:{port}"

    async def _listens(self) -> int:
        places = await places_of(self._listen)
        wanted = [self._listen] if is_wildcard(self._listen.rpartition(":")[0]) else [str(place) for place in places]
        try:
            ports = [self.grpc.add_insecure_port(address) for address in wanted]
        except RuntimeError as error:  # between our look and grpc's
            raise AddressInUse(
                f"cannot listen on {self._listen}: another process has just taken the port; start again, or elsewhere"
            ) from error
        return ports[0]

    async def close(self, grace_s: float) -> None:
        """Take no more calls; peers' streams end now, calls of clients have `grace_s` seconds to end by themselves."""
        for link in list(self._links):
            await link.close()
        await self.grpc.stop(grace_s)

    async def _stream(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        assert self._accept is not None, "a server takes calls only after it was started"
        link = AcceptedLink(context)
        self._links[link] = None
        # A task of its own: grpc cancels this one when the peer is gone, whatever it is in the middle of.
        self._tasks.start(_serve(self._accept, link), name=f"link from {context.peer()}")
        try:
            await link.ended()
        finally:
            link.end()
            del self._links[link]


async def _serve(accept: Accept, link: AcceptedLink) -> None:
    try:
        await accept(link)
    finally:
        link.end()


class AcceptedLink(GrpcLink):
    """The accepting end of one stream. The stream ends when `accept` returns, or this is closed."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        super().__init__()
        self._context = context
        self._peer = context.peer()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, frame: bytes) -> None:
        self._check()
        await self._wait(self._context.write(frame))

    async def receive(self) -> bytes | None:
        self._check()
        frame = await self._wait(self._context.read())
        return frame if isinstance(frame, bytes) else None

    async def close(self) -> None:
        self.end()

    async def ended(self) -> None:
        """Wait until this end is done with the stream."""
        await self._ended

    def end(self) -> None:
        self._interrupt()
        if not self._ended.done():
            self._ended.set_result(None)

    def _lost(self, error: BaseException | None) -> LinkLost:
        return LinkLost(f"the link from {self._peer} has ended")


def frame_limit(message_bytes_max: int) -> int:
    """The largest frame or request, in bytes, that a server takes which is made for messages of that size."""
    return message_bytes_max + _FRAME_SLACK_BYTES


def server_options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # else two nodes share one port, and nobody notices
        ("grpc.max_receive_message_length", frame_limit(settings.message_bytes_max)),
        ("grpc.max_send_message_length", -1),  # state in an answer may be larger than any one message
        ("grpc.max_connection_age_ms", int(settings.connection_age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(settings.connection_grace_s * 1000)),
        ("grpc.server_handshake_timeout_ms", int(settings.handshake_s * 1000)),
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.ping_timeout_s * 1000)),
        ("grpc.http2.ping_timeout_ms", int(settings.ping_timeout_s * 1000)),
        ("grpc.http2.min_ping_interval_without_data_ms", 1000),  # the default counts our own peers' pings as abuse
        ("grpc.http2.max_ping_strikes", 0),
    ]
