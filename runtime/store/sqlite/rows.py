"""Rows as SQLite gives them, as records."""

from __future__ import annotations

import json
from dataclasses import replace as with_changes

from runtime.store.columns import ACTORS, NODES
from runtime.store.records import ActorRow, HistoryRow, NodeRow, Outcome, Subscription
from runtime.store.summaries import ActorSummary

__all__ = ["actor_row", "history_row", "node_row", "node_values", "subscription"]


_SUMMARY_FROM = ACTORS.names.index("status")


def actor_row(*row: object) -> ActorRow:
    """Columns are in the order of the records: those of the summary come last, and are null where there is none."""
    told = None if row[_SUMMARY_FROM] is None else ActorSummary(*row[_SUMMARY_FROM:])  # type: ignore[arg-type]
    return ActorRow(*row[:_SUMMARY_FROM], told)  # type: ignore[arg-type, call-arg]  # mypy counts two arguments


def history_row(*row: object) -> HistoryRow:
    found = HistoryRow(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, outcome=Outcome(found.outcome))


def node_row(*row: object) -> NodeRow:
    *columns, lease, carries = row
    found = NodeRow(*columns)  # type: ignore[arg-type]  # columns are in the order of the record
    lease_s, _, clock_off_s = str(lease).partition("/")  # of an older version the first alone, or none
    return with_changes(
        found,
        kinds=tuple(json.loads(str(found.kinds))),
        lease_s=float(lease_s or 0.0),
        clock_off_s=float(clock_off_s or 0.0),
        carries=tuple(json.loads(str(carries or "[]"))),
    )


def node_values(node: NodeRow, *, lease_until_s: float) -> tuple[object, ...]:
    """The values of the table's own columns."""
    row = with_changes(node, lease_until_s=lease_until_s)
    return tuple(json.dumps(value) if isinstance(value, tuple) else value for value in NODES.values(row))


def subscription(*row: object) -> Subscription:
    found = Subscription(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, starts=bool(found.starts))
