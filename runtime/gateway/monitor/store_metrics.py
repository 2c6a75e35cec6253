"""The metrics of a whole store. Each node and page that is asked tells the same of it, so boards take the largest.

StandingReader.latest ──collect──▶ metric families
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from runtime.gateway.monitor.standing_reader import StandingReader
from runtime.operate.standing import StoreStanding
from runtime.store.tallies import Tally

__all__ = ["StoreMetrics"]

_UNDER_WAY = ("running", "compensating", "stuck", "suspended")


class StoreMetrics(Collector):
    """Kinds that were seen once are told with 0 from then on, so that a graph does not end where all is well."""

    def __init__(self, watch: StandingReader) -> None:
        self._watch = watch
        self._sagas: dict[str, None] = {}  # kinds of sagas that were seen, in that order
        self._receivers: dict[str, None] = {}  # kinds that mail has waited for

    def collect(self) -> Iterator[Metric]:
        watch, standing = self._watch, self._watch.latest or StoreStanding(0.0)
        age_s = [watch.age_s] if watch.latest is not None else []
        now_s = standing.now_s + sum(age_s)
        self._sagas.update(dict.fromkeys(standing.kinds))
        self._receivers.update(dict.fromkeys(one.kind for one in (*standing.mail, *standing.letters)))
        sagas, receivers = ((*self._sagas,), (*self._receivers,)) if age_s else ((), ())
        yield from _sagas(standing, sagas, now_s)
        yield from _pair("undos_owed", "undo_owed", "sagas that owe an undo", standing.owed, sagas, now_s)
        unknown = "sagas with a step whose outcome nobody knows"
        yield from _pair("outcomes_unknown", "outcome_unknown", unknown, standing.unknown, sagas, now_s)
        yield from _pair("timers_late", "timer_late", "actors with a late timer", standing.late, sagas, now_s)
        yield from _pair("mail", "mail", "messages that wait in the store", standing.mail, receivers, now_s)
        yield from _pair("dead_letters", "dead_letter", "dead letters", standing.letters, receivers, now_s)
        yield SummaryMetricFamily(
            "amends_store_read_seconds",
            "Readings of the store for these metrics, and how long they took.",
            watch.reads,
            watch.read_s,
        )
        yield CounterMetricFamily("amends_store_reads_failed", "Of these, those that failed.", watch.failures)
        age = GaugeMetricFamily("amends_store_read_age_seconds", "How long ago the last one was.", labels=[])
        for one in age_s:
            age.add_metric([], one)
        yield age


def _sagas(standing: StoreStanding, kinds: Iterable[str], now_s: float) -> Iterator[Metric]:
    count = GaugeMetricFamily("amends_sagas", "Sagas that have not ended.", labels=["kind", "status"])
    oldest = GaugeMetricFamily(
        "amends_saga_oldest_progress_seconds",
        "How long ago the saga that stands still for longest made progress.",
        labels=["kind", "status"],
    )
    found = {(tally.kind, status): tally for status, tally in standing.sagas}
    missing = [(kind, status) for kind in kinds for status in _UNDER_WAY if (kind, status) not in found]
    for (kind, status), tally in found.items():
        count.add_metric([kind, status], tally.count)
        oldest.add_metric([kind, status], _age_s(tally, now_s))
    for kind, status in missing:
        count.add_metric([kind, status], 0)
        oldest.add_metric([kind, status], 0)
    yield from (count, oldest)


def _pair(
    name: str, one: str, what: str, tallies: Iterable[Tally], kinds: Iterable[str], now_s: float
) -> Iterator[Metric]:
    """How many there are, and how old the oldest is."""
    count = GaugeMetricFamily(f"amends_{name}", f"How many {what} there are.", labels=["kind"])
    oldest = GaugeMetricFamily(
        f"amends_{one}_oldest_seconds", f"For how long the oldest has stood so: {what}.", labels=["kind"]
    )
    found = {tally.kind: tally for tally in tallies}
    for kind in dict.fromkeys((*kinds, *found)):
        tally = found.get(kind)
        count.add_metric([kind], 0 if tally is None else tally.count)
        oldest.add_metric([kind], 0 if tally is None else _age_s(tally, now_s))
    yield from (count, oldest)


def _age_s(tally: Tally, now_s: float) -> float:
    """Mail that is put off is due later than now."""
    return max(0.0, now_s - tally.oldest_at_s)
