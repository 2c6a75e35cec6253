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
    found = NodeRow(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, kinds=tuple(json.loads(str(row[3]))))


def subscription(row: tuple[object, ...]) -> Subscription:
    found = Subscription(*row)  # type: ignore[arg-type]  # columns are in the order of the record
    return with_changes(found, starts=bool(found.starts))
