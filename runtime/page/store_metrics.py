"""`/metrics` of the page: those of the store, for whoever watches it while no node runs. Needs the extra `metrics`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runtime.operate.standing import StoreStanding, standing_of
from runtime.page.desk import PageDesk
from runtime.ports import Ports

__all__ = ["metrics_route"]

_ADDRESS = "/metrics"


def metrics_route(desk: PageDesk, ports: Ports) -> Route:
    """The store is read when somebody asks, through a view that is opened for it, and at most once in 15 s."""
    try:
        from runtime.gateway.monitor.exposition import Exposition
        from runtime.gateway.monitor.standing_reader import StandingReader
    except ModuleNotFoundError as missing:
        return _lacks(missing.name)

    async def read() -> StoreStanding:
        async with desk.view() as store:
            return await standing_of(store)

    return Route(_ADDRESS, Exposition(StandingReader(read, ports.clock, ports.tasks)).answer)


def _lacks(name: str | None) -> Route:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"/metrics needs {name}, which is not installed: pip install 'amends[metrics]'\n", 404)

    return Route(_ADDRESS, answer)
