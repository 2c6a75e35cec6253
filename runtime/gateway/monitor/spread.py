"""A Distribution as a histogram of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from runtime.distribution import Distribution

__all__ = ["spread"]


def spread(name: str, about: str, labels: Sequence[str], found: Iterable[tuple[Sequence[str], Distribution]]) -> Metric:
    """`found` has the values of the labels with each."""
    family = HistogramMetricFamily(name, about, labels=labels)
    for values, one in found:
        buckets = [("+Inf" if bound is None else str(bound), float(count)) for bound, count in one.up_to]
        family.add_metric(values, buckets, one.total)
    return family
