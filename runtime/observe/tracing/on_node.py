"""The traces of a node: sent to the collector at `trace_endpoint`, and made nowhere when that is empty.

host ──of a kind──▶ NodeTracing ──▶ KindTracing, which turns ask
                        ▲ └─TurnSpan─▶ CollectorSpans ──a thread──▶ the collector
host ──close────────────┘
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from runtime.config import Settings
from runtime.durable.behaviour import Behaviour
from runtime.durable.traces.tracing import Hop, KindTracing, Tracing
from runtime.errors import InvalidSettings
from runtime.ports import Fact, Ports

if TYPE_CHECKING:
    from runtime.observe.tracing.collector import CollectorSpans

__all__ = ["NodeTracing", "TracesCutShort"]


@dataclass(frozen=True, slots=True)
class TracesCutShort(Fact):
    """The node ends, and the collector has not taken all spans in time: those that wait are dropped."""

    level: ClassVar[str] = "warning"
    endpoint: str
    waited_s: float


class NodeTracing:
    """Ask it for each kind that the node hosts, and `close` it whether or not it was asked."""

    def __init__(self, settings: Settings, node: str, version: str, ports: Ports) -> None:
        """Raises InvalidSettings when the setting asks for what is not installed."""
        self._settings = settings
        self._ports = ports
        self._spans: CollectorSpans | None = None
        self._tracing: Tracing | None = None
        self._open: Callable[[], CollectorSpans] | None = None
        if settings.trace_endpoint:
            self._open = partial(_collector(), settings.trace_endpoint, node, version)

    def of(self, behaviour: Behaviour) -> KindTracing | None:
        """What the turns of this kind tell; None where nothing is traced."""
        if self._tracing is None and self._open is not None:
            self._spans = self._open()
            apart = [Hop(name) for name in self._settings.trace_apart]
            self._tracing = Tracing(self._settings.trace_ratio, apart, self._ports.clock, self._spans.export)
            self._ports.handling.trace_of = self._tracing.trace_of
        return None if self._tracing is None else KindTracing(self._tracing, behaviour)

    async def close(self, within_s: float) -> None:
        """Send what waits, for so long at most: a collector that is gone keeps no node from its end."""
        spans, self._spans = self._spans, None
        if spans is None:
            return
        loop, sent = asyncio.get_running_loop(), self._ports.tasks.new_future()

        def told() -> None:
            if not sent.done():
                sent.set_result(None)

        def flush() -> None:
            spans.flush()
            try:
                loop.call_soon_threadsafe(told)
            except RuntimeError:  # the loop has not waited for it, and is gone
                pass

        # No thread of an executor: the process would wait for its end.
        threading.Thread(target=flush, name="last spans", daemon=True).start()  # replay: of a real process only
        try:
            await asyncio.wait_for(sent, within_s)
        except TimeoutError:
            self._ports.report(TracesCutShort(self._settings.trace_endpoint, within_s))
        spans.stop()


def _collector() -> type[CollectorSpans]:
    """Raises InvalidSettings. A node that traces nothing imports nothing of it."""
    try:
        from runtime.observe.tracing.collector import CollectorSpans
    except ModuleNotFoundError as missing:
        raise InvalidSettings(
            f"trace_endpoint needs {missing.name}, which is not installed: pip install 'amends[otel]'"
        ) from missing
    return CollectorSpans
