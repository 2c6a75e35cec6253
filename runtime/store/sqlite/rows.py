"""Rows as SQLite gives them, as records."""

from __future__ import annotations

import json
from dataclasses import replace as with_changes

from runtime.store.records import HistoryRow, NodeRow, Outcome, Subscription

__all__ = ["history_row", "node_row", "subscription"]


def history_row(row: tuple[object, ...]) -> HistoryRow:
    found = HistoryRow(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, outcome=Outcome(found.outcome))


def node_row(row: tuple[object, ...]) -> NodeRow:
    *columns, lease, carries = row
    found = NodeRow(*columns)  # type: ignore[arg-type]  # columns are in the order of the record
    lease_s, _, clock_off_s = str(lease).partition("/")  # of an older version the first alone, or none
    return with_changes(
        found,
        kinds=tuple(json.loads(str(row[3]))),
        lease_s=float(lease_s or 0.0),
        clock_off_s=float(clock_off_s or 0.0),
        carries=tuple(json.loads(str(carries or "[]"))),
    )


def subscription(row: tuple[object, ...]) -> Subscription:
    found = Subscription(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, starts=bool(found.starts))
