"""The one gRPC server of a node: clients, operators, health checks and peers all come in here.

    front ──add servicers──▶ GrpcServer.grpc ──start──▶ one port

Foreign exceptions end here: a port that cannot be had is AddressInUse or InvalidSettings.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from runtime.errors import AddressInUse, AmendsError
from runtime.gateway.listening import is_wildcard, places_of
from runtime.mesh.frames import frame_limit
from runtime.mesh.servicer import PeerServicer
from runtime.ports import Accept, Ports

__all__ = ["GrpcServer", "ServerSettings"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Limits of a node's server.

    A connection lives for about `connection_age_s`: the handshake of the next one sees new certificates. Streams
    on it have `connection_grace_s` more to end by themselves.
    """

    message_bytes_max: int = 1024 * 1024  # largest message for an actor; frames and requests may be a little larger
    calls_max: int = 10_000  # calls at once; more are answered RESOURCE_EXHAUSTED
    connection_age_s: float = 3600.0
    connection_grace_s: float = 30.0
    handshake_s: float = 10.0
    keepalive_s: float = 10.0
    ping_timeout_s: float = 5.0
    advertise: str = ""  # host:port that others dial, if they cannot dial the one listened on


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
        self._peers: PeerServicer | None = None
        self.grpc: grpc.aio.Server = grpc.aio.server(
            interceptors=list(interceptors),
            options=server_options(self._settings),
            maximum_concurrent_rpcs=self._settings.calls_max,
        )

    @property
    def address(self) -> str:
        """host:port that others dial: as advertised, else with the port that 0 became. Empty before `start`."""
        return self._address

    async def start(self, accept: Accept | None = None) -> None:
        """Listen on all that the address means, or not at all. Peers are taken if something accepts them.

        Raises AddressInUse when another process has the port, InvalidSettings when it can't be had.
        """
        if accept is not None:
            self._peers = PeerServicer(self._tasks, accept)
            self._peers.add_to(self.grpc)
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
        except RuntimeError as error:  # Somebody took the port between our look and grpc's.
            raise AddressInUse(
                f"cannot listen on {self._listen}: another process has just taken the port; start again, or elsewhere"
            ) from error
        return ports[0]

    async def close(self, grace_s: float) -> None:
        """Take no more calls; peers' streams end now, calls of clients have `grace_s` seconds to end by themselves."""
        if self._peers is not None:
            await self._peers.close()
        await self.grpc.stop(grace_s)


def server_options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # otherwise two nodes can share one port, and nobody notices
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
