"""What a node answers to grpc.health.v1: whether it serves, and, under a name of its own, whether it takes part.

""         SERVING from when the node takes calls until it drains: what liveness and old launchers ask
"readyz"   SERVING while the node also has a sure lease and runs the shards that it has taken
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from runtime.ports import Clock

__all__ = ["READYZ", "NodeHealth"]

READYZ = "readyz"

_LOOK_S = 0.5  # how often readiness is looked at for somebody who watches it


class NodeHealth:
    """A servicer. Readiness is looked at when somebody asks, since it changes by the mere passing of time."""

    def __init__(self, is_ready: Callable[[], bool], clock: Clock) -> None:
        self._told = health.HealthServicer()
        self._serves = False
        self._is_ready = is_ready
        self._clock = clock

    async def serving(self, yes: bool) -> None:
        """From now on the node takes calls, or no longer does."""
        self._serves = yes
        await self._told.set("", _answer(yes).status)

    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:  # noqa: N802 -- grpc's
        if request.service == READYZ:
            return self._readiness()
        answer: HealthCheckResponse = await self._told.Check(request, context)
        return answer

    async def List(self, request: HealthListRequest, context: Any) -> HealthListResponse:  # noqa: N802 -- grpc's
        return HealthListResponse(statuses={"": _answer(self._serves), READYZ: self._readiness()})

    async def Watch(self, request: HealthCheckRequest, context: Any) -> None:  # noqa: N802 -- grpc's
        if request.service != READYZ:
            await self._told.Watch(request, context)
            return
        told: HealthCheckResponse | None = None
        while True:  # until the call is cancelled
            answer = self._readiness()
            if answer != told:
                await context.write(answer)
                told = answer
            await self._clock.sleep(_LOOK_S)

    def _readiness(self) -> HealthCheckResponse:
        return _answer(self._is_ready())


def _answer(yes: bool) -> HealthCheckResponse:
    return HealthCheckResponse(status=HealthCheckResponse.SERVING if yes else HealthCheckResponse.NOT_SERVING)
