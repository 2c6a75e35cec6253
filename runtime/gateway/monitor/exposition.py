"""Metrics as an answer of HTTP: of a registry of their own, in the format that the asker prefers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from runtime.gateway.monitor.standing_reader import StandingReader
from runtime.gateway.monitor.store_metrics import StoreMetrics

__all__ = ["Exposition"]


class Exposition:
    """What else the process counts is not shown, and shows none of them."""

    def __init__(self, store: StandingReader, *others: Collector) -> None:
        self._store = store
        self._registry = CollectorRegistry(auto_describe=False)
        for one in (*others, StoreMetrics(store)):
            self._registry.register(one)

    async def answer(self, request: Request) -> Response:
        """To a GET of whoever collects metrics."""
        await self._store.look()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), media_type=None, headers={"content-type": content_type})
