"""The front of a node: where clients and peers reach it, and how it reaches its peers.

    host ──start(accept, client)──▶ Front ──▶ one gRPC server: clients, the deployment's services, health, peers
    mesh ──transport.dial──▶             "  ──▶ other nodes' fronts

A port by itself, so that a whole node can be put on a simulated network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc

from runtime.durable.client import Client
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.streams import CallStreams, add_calls_service
from runtime.gateway.client_service import add_client_service
from runtime.gateway.health import NodeHealth
from runtime.gateway.interceptors import EdgeInterceptor
from runtime.gateway.server import GrpcServer, ServerSettings
from runtime.mesh.channel import GrpcTransport
from runtime.mesh.frames import frame_limit
from runtime.ports import Accept, Ports, Transport

__all__ = ["Front", "GrpcFront", "Register"]

Register = Callable[[grpc.aio.Server, Client], None]
"""Adds a client-facing servicer to a node's server."""


class Front(Protocol):
    """`start` it once, `close` it once."""

    @property
    def address(self) -> str:
        """host:port that clients and peers dial; known once it was started."""
        ...

    @property
    def transport(self) -> Transport:
        """What this node dials others with."""
        ...

    async def start(self, accept: Accept, client: Client) -> None:
        """Listen. Raises AddressInUse, InvalidSettings."""
        ...

    async def serving(self, yes: bool) -> None:
        """Tell whoever asks, or watches, whether this node takes calls. It does not before the first yes.

        A no has clients end their streams of calls, and go elsewhere with what they begin from then on.
        """
        ...

    async def close(self, grace_s: float) -> None:
        """Take no more calls; those that run have `grace_s` seconds to end by themselves."""
        ...


class GrpcFront:
    """One gRPC server for clients, health checks and peers."""

    def __init__(
        self,
        listen: str,
        ports: Ports,
        register: Sequence[Register] = (),
        settings: ServerSettings | None = None,
        *,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`is_ready` says whether the node takes part in its cluster, for those who ask for `readyz`."""
        self._register = register
        settings = settings or ServerSettings()
        limits = CallLimits(all_calls_max=settings.calls_max, frame_bytes_max=frame_limit(settings.message_bytes_max))
        self._streams = CallStreams(ports, limits, within=[EdgeInterceptor(ports)])
        self._server = GrpcServer(listen, ports, settings, interceptors=[self._streams])
        self._health = NodeHealth(is_ready, ports.clock)  # grpc.health.v1, for load balancers and launchers
        self.transport = GrpcTransport()

    @property
    def address(self) -> str:
        return self._server.address

    async def start(self, accept: Accept, client: Client) -> None:
        await self.serving(False)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server.grpc)
        add_client_service(self._server.grpc, client)
        add_calls_service(self._server.grpc)
        for register in self._register:
            register(self._server.grpc, client)
        await self._server.start(accept)

    async def serving(self, yes: bool) -> None:
        await self._health.serving(yes)
        self._streams.serving(yes)

    async def close(self, grace_s: float) -> None:
        self._streams.close()
        await self._server.close(grace_s)
        await self.transport.close()
