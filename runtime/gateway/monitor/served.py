"""A monitor with its server."""

from __future__ import annotations

from runtime.config import Settings
from runtime.gateway.http_server import HttpServer
from runtime.gateway.monitor.application import monitor_application
from runtime.gateway.monitor.exposition import Exposition
from runtime.gateway.monitor.fact_counts import FactCounts
from runtime.gateway.monitor.loop_lag import LoopLag
from runtime.gateway.monitor.metrics import NodeMetrics
from runtime.gateway.monitor.readiness import Readiness
from runtime.gateway.monitor.standing_reader import StandingReader
from runtime.operate.standing import StoreStanding, standing_of
from runtime.ports import Ports

__all__ = ["ServedMonitor"]


class ServedMonitor:
    """`start` it once, `close` it once, whether or not it has started."""

    def __init__(self, settings: Settings, version: str, ports: Ports, readiness: Readiness) -> None:
        self.facts = FactCounts(ports.report)
        self._lag = LoopLag(ports.clock)

        async def read_standing() -> StoreStanding | None:
            return None if readiness.parts is None else await standing_of(readiness.parts.store)

        metrics = NodeMetrics(settings.node_name, version, readiness, self._lag, self.facts)
        store = StandingReader(read_standing, ports.clock, ports.tasks)
        application = monitor_application(Exposition(store, metrics), readiness.reasons)
        self._server = HttpServer(application, settings.monitor_listen, ports.tasks)

    @property
    def address(self) -> str:
        """host:port, once it was started."""
        return self._server.address

    async def start(self) -> None:
        """Listen. Raises AddressInUse, InvalidSettings."""
        await self._server.start()
        self._lag.start()

    async def close(self, grace_s: float) -> None:
        self._lag.stop()
        await self._server.close(grace_s)
