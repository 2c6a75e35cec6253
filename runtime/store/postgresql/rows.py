"""Rows as PostgreSQL gives them, as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from runtime.store.columns import ACTORS
from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.postgresql.text import given, given_row
from runtime.store.records import (
    ActorRow,
    ClusterView,
    HistoryRow,
    MailRow,
    NodeRow,
    Outcome,
    ShardRow,
    Subscription,
)
from runtime.store.summaries import ActorSummary

__all__ = ["actor_row", "cluster_view", "definition_row", "history_row", "mail_row", "node_row"]

_SUMMARY_FROM = ACTORS.names.index("status")
_OUTCOME = [field.name for field in fields(HistoryRow)].index("outcome")

T = TypeVar("T", NodeRow, ShardRow, Subscription)


def actor_row(row: tuple[Any, ...]) -> ActorRow:
    """Columns are in the order of the records: those of the summary come last, and are null where there is none."""
    values: tuple[Any, ...] = given_row(row)
    told = None if values[_SUMMARY_FROM] is None else ActorSummary(*values[_SUMMARY_FROM:])
    return ActorRow(*(*values[:_SUMMARY_FROM], told))


def history_row(row: tuple[Any, ...]) -> HistoryRow:
    values: list[Any] = [*given_row(row)]
    values[_OUTCOME] = Outcome(values[_OUTCOME])
    return HistoryRow(*values)


def mail_row(row: tuple[Any, ...]) -> MailRow:
    values: tuple[Any, ...] = given_row(row)
    return MailRow(*values)


def definition_row(row: tuple[Any, ...]) -> DefinitionRow:
    values: tuple[Any, ...] = given_row(row)
    return DefinitionRow(*values)


def node_row(text: str) -> NodeRow:
    """A row of `nodes` as JSON."""
    return _record(NodeRow, json.loads(text))


def cluster_view(text: str) -> ClusterView:
    """What the statement `cluster` gives."""
    found = json.loads(text)
    return ClusterView(
        now_s=float(found["now_s"]),
        nodes=tuple(_record(NodeRow, one) for one in found["nodes"] or ()),
        shards=tuple(_record(ShardRow, one) for one in found["shards"] or ()),
        subscriptions=tuple(_record(Subscription, one) for one in found["subscriptions"] or ()),
        lived_until_s=Lived.from_text(found["lived"]).until_s,
    )


def _record(record: type[T], found: Mapping[str, Any]) -> T:
    """Of a row that a newer version may have widened, the fields that this one knows."""
    return record(**{field.name: _value(found[field.name], field.type) for field in fields(record)})


def _value(value: Any, type: object) -> Any:
    if isinstance(value, list):
        return tuple(given(one) for one in value)
    if isinstance(value, str):
        return given(value)
    return float(value) if type == "float" else value
