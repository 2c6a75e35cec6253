"""The monitor's three addresses, as an ASGI application.

GET /livez     200 whenever the loop of the node turns; nothing else is asked, or a slow store would restart all nodes
GET /readyz    200 when the node takes part, else 503 with the reasons
GET /metrics   what NodeMetrics and StoreMetrics have, in the format that the asker prefers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runtime.gateway.monitor.exposition import Exposition

__all__ = ["monitor_application"]


def monitor_application(metrics: Exposition, reasons_not_ready: Callable[[], Sequence[str]]) -> Starlette:
    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(request: Request) -> Response:
        reasons = reasons_not_ready()
        if reasons:
            return PlainTextResponse("".join(f"not ready: {reason}\n" for reason in reasons), status_code=503)
        return PlainTextResponse("ready\n")

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics.answer)])
