"""Metrics of the calls that clients make: what came of them, how long they took, and over how many streams they come.

Labels are methods that the node serves and codes of gRPC. A call of a method that is not served is in no metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from runtime.distribution import Distribution
from runtime.gateway.calls.served_stream import CallStreamEnded, CallStreamOpened
from runtime.gateway.interceptors import CallServed
from runtime.gateway.monitor.spread import spread
from runtime.ports import Fact

__all__ = ["CallCounts", "of_calls"]

_CALL_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class CallCounts:
    """Totals since the node started, unary calls and those of streams together."""

    def __init__(self) -> None:
        self.ended: dict[tuple[str, str], int] = {}  # by method and code
        self.took_s: dict[str, Distribution] = {}  # by method

    def add(self, call: CallServed) -> None:
        key = call.method, call.code
        self.ended[key] = self.ended.get(key, 0) + 1
        took_s = self.took_s.get(call.method)
        if took_s is None:
            took_s = self.took_s[call.method] = Distribution(_CALL_S)
        took_s.add(call.took_s)


def of_calls(calls: CallCounts, facts: Mapping[type[Fact], int]) -> Iterator[Metric]:
    """`facts` has how often each kind was told."""
    ended = CounterMetricFamily("amends_calls", "Calls of clients that have ended.", labels=["method", "code"])
    for labels, count in calls.ended.items():
        ended.add_metric(labels, count)
    yield ended
    took = [((method,), one) for method, one in calls.took_s.items()]
    yield spread("amends_call_seconds", "How long these calls took.", ("method",), took)
    open_now = facts.get(CallStreamOpened, 0) - facts.get(CallStreamEnded, 0)
    yield GaugeMetricFamily("amends_call_streams", "Streams that carry calls of clients now.", open_now)
