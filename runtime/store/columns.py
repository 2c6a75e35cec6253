"""The columns of each table, which stand once: they are the fields of its record, in their order.

records.ActorRow ──▶ ACTORS ──▶ names for SQL text, values of a row, checks of a schema
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from runtime.store.definitions import DefinitionRow
from runtime.store.proofs import ProofRow
from runtime.store.records import ActorRow, HistoryRow, MailRow, NodeRow, ShardRow, Subscription
from runtime.store.summaries import ActorSummary

__all__ = [
    "ACTORS",
    "DEFINITIONS",
    "HISTORY",
    "MAIL",
    "NODES",
    "PROOFS",
    "SHARDS",
    "SUBSCRIPTIONS",
    "TABLES",
    "Columns",
]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table."""

    table: str
    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]  # of a record, in the order of the names

    def __str__(self) -> str:
        """As SQL lists them."""
        return ", ".join(self.names)


def _columns(table: str, record: type[Any], *, without: tuple[str, ...] = ()) -> Columns:
    names = tuple(field.name for field in fields(record) if field.name not in without)
    return Columns(table, names, attrgetter(*names))


def _actors() -> Columns:
    """Those of an actor's row, and behind them those of its summary: nulls where there is none."""
    own, told = _columns("actors", ActorRow, without=("summary",)), _columns("actors", ActorSummary)
    untold = (None,) * len(told.names)

    def values(row: ActorRow) -> tuple[Any, ...]:
        return own.values(row) + (untold if row.summary is None else told.values(row.summary))

    return Columns("actors", (*own.names, *told.names), values)


ACTORS = _actors()
MAIL = _columns("mail", MailRow)
HISTORY = _columns("history", HistoryRow)
SUBSCRIPTIONS = _columns("subscriptions", Subscription)
DEFINITIONS = _columns("definitions", DefinitionRow)
PROOFS = _columns("proofs", ProofRow)
# What later versions added to these two lies in the table `meta`, which older versions pass over.
NODES = _columns("nodes", NodeRow, without=("lease_s", "clock_off_s", "carries"))
SHARDS = _columns("shards", ShardRow, without=("died",))
TABLES = (ACTORS, MAIL, HISTORY, SUBSCRIPTIONS, DEFINITIONS, PROOFS, NODES, SHARDS)
