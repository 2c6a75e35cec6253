"""The monitor's three addresses, as an ASGI application.

GET /livez     200 whenever the loop of the node turns; nothing else is asked, or a slow store would restart all nodes
GET /readyz    200 when the node takes part, else 503 with the reasons
GET /metrics   what NodeMetrics has, in the format that the asker prefers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runtime.gateway.monitor.metrics import NodeMetrics

__all__ = ["monitor_application"]


def monitor_application(metrics: NodeMetrics, reasons_not_ready: Callable[[], Sequence[str]]) -> Starlette:
    """`metrics` are in a registry of their own: what else the process counts is not shown, and shows none of them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)

    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(request: Request) -> Response:
        reasons = reasons_not_ready()
        if reasons:
            return PlainTextResponse("".join(f"not ready: {reason}\n" for reason in reasons), status_code=503)
        return PlainTextResponse("ready\n")

    async def show_metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=None, headers={"content-type": content_type})

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", show_metrics)])
