"""The standard gRPC health service (grpc.health.v1), for load balancers and launchers: may this node be sent calls?

A node serves once it has joined its cluster, and no longer from the moment it begins to drain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.gateway.interceptors import CallFailed, Context

__all__ = ["Health"]

_SERVING: int = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN: int = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """Answers for the node as a whole (the empty name) and for each service named. Begins as not serving."""

    def __init__(self, services: Sequence[str] = ()) -> None:
        self._names = frozenset(("", *services))
        self._status = _NOT_SERVING
        self._watchers: dict[asyncio.Future[None], None] = {}  # one for each open Watch call; grpc bounds those

    def add_to(self, server: grpc.aio.Server) -> None:
        """Offer the service on a server that is not started yet."""
        health_pb2_grpc.add_HealthServicer_to_server(_Servicer(self), server)

    def serving(self, yes: bool) -> None:
        """From now on the node takes calls, or does not; whoever watches is told."""
        self._status = _SERVING if yes else _NOT_SERVING
        watchers, self._watchers = self._watchers, {}
        for woken in watchers:
            if not woken.done():
                woken.set_result(None)

    def status_of(self, name: str) -> int:
        """A value of grpc.health.v1 ServingStatus."""
        return self._status if name in self._names else _SERVICE_UNKNOWN

    async def changed(self) -> None:
        """Wait until `serving` is called."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers[woken] = None
        try:
            await woken
        finally:
            self._watchers.pop(woken, None)


class _Servicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the package has no types
    def __init__(self, health: Health) -> None:
        self._health = health

    async def Check(  # noqa: N802 - named by the protocol
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        status = self._health.status_of(request.service)
        if status == _SERVICE_UNKNOWN:
            raise CallFailed(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service!r} here")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802 - named by the protocol
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        told = -1
        while True:
            status = self._health.status_of(request.service)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
            else:
                await self._health.changed()
