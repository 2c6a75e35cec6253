"""The monitor of a node: served at `monitor_listen`, and nowhere when that is empty.

host ──reports to──▶ NodeMonitor.ports ──▶ FactCounts ──▶ the log
host ──start, watch, leave, close──▶ NodeMonitor ──▶ ServedMonitor ──▶ HttpServer
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runtime.config import Settings
from runtime.errors import InvalidSettings
from runtime.gateway.monitor.readiness import Readiness
from runtime.ports import Fact, Ports

if TYPE_CHECKING:
    from runtime.gateway.monitor.served import ServedMonitor

__all__ = ["MonitorServed", "NodeMonitor"]


@dataclass(frozen=True, slots=True)
class MonitorServed(Fact):
    """Whoever watches the node finds /livez, /readyz and /metrics here."""

    address: str


class NodeMonitor:
    """`start` it once, and `close` it whether or not it has started.

    `ports` are those that the node is to use: what is reported to them is counted, if anybody can ask for the counts.
    """

    def __init__(self, settings: Settings, version: str, ports: Ports, readiness: Readiness) -> None:
        """Raises InvalidSettings when the setting asks for what is not installed."""
        self._served: ServedMonitor | None = None
        self.ports = ports
        if settings.monitor_listen:
            self._served = _served(settings, version, ports, readiness)
            self.ports = replace(ports, report=self._served.facts.report)

    async def start(self) -> None:
        """Listen, if it is told where. Raises AddressInUse, InvalidSettings."""
        if self._served is not None:
            await self._served.start()
            self.ports.report(MonitorServed(self._served.address))

    async def close(self, grace_s: float) -> None:
        if self._served is not None:
            await self._served.close(grace_s)


def _served(settings: Settings, version: str, ports: Ports, readiness: Readiness) -> ServedMonitor:
    """Raises InvalidSettings. A node without a monitor imports nothing of it."""
    try:
        from runtime.gateway.monitor.served import ServedMonitor
    except ModuleNotFoundError as missing:
        raise InvalidSettings(
            f"monitor_listen needs {missing.name}, which is not installed: pip install 'amends[metrics]'"
        ) from missing
    return ServedMonitor(settings, version, ports, readiness)
