"""The metrics of one node, read from its parts when somebody asks: nothing is written for them on the way of a message.

    parts, LoopLag, FactCounts ──collect──▶ metric families ──prometheus_client──▶ text of /metrics

Labels are kinds, nodes, methods, codes, statuses of sagas and kinds of facts, so their number has a bound. No key and
no id is one.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from runtime.gateway.monitor.call_metrics import of_calls
from runtime.gateway.monitor.fact_counts import FactCounts
from runtime.gateway.monitor.loop_lag import LoopLag
from runtime.gateway.monitor.parts import NodeParts
from runtime.gateway.monitor.readiness import Readiness
from runtime.gateway.monitor.spread import spread
from runtime.gateway.monitor.turn_metrics import of_turns

__all__ = ["NodeMetrics"]


class NodeMetrics(Collector):
    """Most metrics are missing before the node has joined its cluster."""

    def __init__(self, node: str, version: str, readiness: Readiness, lag: LoopLag, facts: FactCounts) -> None:
        self._node, self._version = node, version
        self._readiness = readiness
        self._lag = lag
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("amends_node_info", "Which node this is; always 1.", labels=["node", "version"])
        info.add_metric([self._node, self._version], 1)
        yield info
        yield GaugeMetricFamily(
            "amends_loop_lag_seconds",
            "The latest that a timer of this node came, in half a minute.",
            self._lag.longest_s,
        )
        yield self._reports()
        yield from of_calls(self._facts.calls, self._facts.counts)
        parts = self._readiness.parts
        if parts is not None:
            yield from _of_membership(parts)
            yield from of_turns(parts)
            yield from _of_mail(parts)
            yield from _of_commits(parts)
            yield from _of_peers(parts)

    def _reports(self) -> Metric:
        told = CounterMetricFamily(
            "amends_reports", "Lines that the log has been given, by what they are about.", labels=["report", "level"]
        )
        for kind, count in self._facts.counts.items():
            told.add_metric([kind.__name__, kind.level], count)
        return told


def _of_membership(parts: NodeParts) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "amends_lease_left_seconds",
        "For how long the lease of this node is sure yet; 0 when it is lost.",
        parts.membership.lease.left_s,
    )
    yield GaugeMetricFamily(
        "amends_lease_seconds", "For how long a renewal makes the lease sure.", parts.membership.lease.lease_s
    )
    shards = GaugeMetricFamily("amends_shards", "Shards that this node runs.", labels=["kind"])
    lacking = GaugeMetricFamily(
        "amends_shards_unowned", "Shards that no node runs, as this node has last read.", labels=["kind"]
    )
    owners = [(row.kind, row.owner) for row in parts.membership.view.shards]
    for kind, sweeper in parts.sweepers.items():
        shards.add_metric([kind], sweeper.shards)
        lacking.add_metric([kind], owners.count((kind, "")))
    yield shards
    yield lacking
    yield GaugeMetricFamily(
        "amends_nodes", "Members of the cluster, as this node has last read.", len(parts.membership.view.nodes)
    )


def _of_mail(parts: NodeParts) -> Iterator[Metric]:
    found = CounterMetricFamily(
        "amends_mail_found",
        "Mail that looks at the store have found; what several looks find counts each time.",
        labels=["kind"],
    )
    for kind, sweeper in parts.sweepers.items():
        found.add_metric([kind], sweeper.rows_found)
    yield found
    yield GaugeMetricFamily(
        "amends_mail_waiting", "Messages that wait and could be handled now, as far as known.", parts.headroom.waiting
    )
    yield GaugeMetricFamily(
        "amends_commands_refused", "1 while new commands of clients are refused.", float(parts.headroom.since_s > 0)
    )


def _of_commits(parts: NodeParts) -> Iterator[Metric]:
    stats = parts.committer.stats
    yield spread("amends_commit_seconds", "How long the store took for group commits.", (), [((), stats.commit_s)])
    yield spread("amends_commit_transitions", "How many transitions share a commit.", (), [((), stats.batches)])
    yield GaugeMetricFamily(
        "amends_commits_waiting", "Transitions and commands that wait for a commit.", parts.committer.waiting
    )
    yield CounterMetricFamily("amends_transitions", "Transitions that the store has judged.", stats.transitions)
    yield CounterMetricFamily("amends_conflicts", "Of these, those that it has refused.", stats.conflicts)
    yield CounterMetricFamily(
        "amends_commits_failed", "Transitions that came to nothing, since the store has failed.", stats.failures
    )
    yield CounterMetricFamily(
        "amends_commits_unknown", "Commits whose outcome the store had to be asked for.", stats.unknown
    )


def _of_peers(parts: NodeParts) -> Iterator[Metric]:
    connected = GaugeMetricFamily("amends_peer_connected", "1 while a stream leads to the node.", labels=["peer"])
    queued = GaugeMetricFamily("amends_peer_queued", "Messages that wait for their frame.", labels=["peer"])
    sent = CounterMetricFamily("amends_peer_sent", "Messages and signals that were sent.", labels=["peer"])
    shed = CounterMetricFamily("amends_peer_shed", "Messages that were not pushed; sweeps find them.", labels=["peer"])
    for peer in parts.mesh.status():
        connected.add_metric([peer.node], float(peer.connected))
        queued.add_metric([peer.node], peer.queued)
        sent.add_metric([peer.node], peer.sent)
        shed.add_metric([peer.node], peer.shed)
    yield from (connected, queued, sent, shed)
