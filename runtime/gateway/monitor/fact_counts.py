"""How often each kind of fact was reported: what the log tells one by one, counted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runtime.gateway.interceptors import CallServed
from runtime.gateway.monitor.call_metrics import CallCounts
from runtime.ports import Fact, Report

__all__ = ["FactCounts"]


class FactCounts:
    """A Report that counts, and passes everything on to the one behind it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts: dict[type[Fact], int] = {}
        self.calls = CallCounts()

    @property
    def counts(self) -> Mapping[type[Fact], int]:
        return MappingProxyType(self._counts)

    def report(self, fact: Fact) -> None:
        """The Report port. Neither blocks nor raises."""
        kind = type(fact)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if isinstance(fact, CallServed):
            self.calls.add(fact)
        self._report(fact)
