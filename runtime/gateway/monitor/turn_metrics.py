"""Metrics of the turns of a node: how many there were, how long they took, and what came of sagas by them.

Labels are kinds, statuses, names of steps in definitions, and outcomes, of which there are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from runtime.durable.residence.turn_counts import TurnCounts
from runtime.gateway.monitor.parts import NodeParts
from runtime.gateway.monitor.spread import spread
from runtime.operate.standing import ENDED

__all__ = ["of_turns"]


def of_turns(parts: NodeParts) -> Iterator[Metric]:
    actors = GaugeMetricFamily("amends_actors", "Actors in the memory of this node.", labels=["kind"])
    turns = CounterMetricFamily("amends_turns", "Turns that have committed.", labels=["kind"])
    failed = CounterMetricFamily(
        "amends_turns_failed", "Turns in which a message failed, and was put off or parked.", labels=["kind"]
    )
    messages = CounterMetricFamily("amends_messages", "Messages and timers that were handled.", labels=["kind"])
    by_kind: dict[str, TurnCounts] = {}
    for kind, sweeper in parts.sweepers.items():
        by_kind[kind] = counts = sweeper.residents.release.counts
        actors.add_metric([kind], len(sweeper.residents))
        turns.add_metric([kind], counts.turns)
        failed.add_metric([kind], counts.failed)
        messages.add_metric([kind], counts.messages)
    yield from (actors, turns, failed, messages)
    took = [((kind,), counts.turn_s) for kind, counts in by_kind.items()]
    yield spread("amends_turn_seconds", "How long turns took, their commit included.", ("kind",), took)
    yield from _of_sagas(by_kind)


def _of_sagas(by_kind: Mapping[str, TurnCounts]) -> Iterator[Metric]:
    sagas = CounterMetricFamily(
        "amends_sagas_came_to", "Sagas that a turn has brought to a status.", labels=["kind", "status"]
    )
    of_step = ["kind", "step", "outcome"]
    steps = CounterMetricFamily("amends_steps", "What steps of sagas have come to.", labels=of_step)
    undos = CounterMetricFamily("amends_undos", "What undos of steps have come to.", labels=of_step)
    for kind, counts in by_kind.items():
        for status, count in counts.came_to.items():
            sagas.add_metric([kind, status], count)
        for family, found in ((steps, counts.steps), (undos, counts.undos)):
            for (step, outcome), count in found.items():
                family.add_metric([kind, step, outcome], count)
    yield from (sagas, steps, undos)
    took = [
        ((kind, status), one)
        for kind, counts in by_kind.items()
        for status, one in counts.rested_s.items()
        if status in ENDED
    ]
    yield spread("amends_saga_seconds", "How long sagas took from their start to their end.", ("kind", "status"), took)
