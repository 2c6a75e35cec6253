"""The statements of postgresql_queries.sql and postgresql_doctor.sql, with columns and arrays filled in.

    {mail}      the columns of the table mail
    {consumed}  unnest($20::text[], $21::integer[], ...) as wanted (kind, shard, ...), one array for each column
    {now}       the clock of the server, in seconds since 1970

A group commit is one statement however many transitions it holds: each part gets its rows as arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from runtime.store.columns import ACTORS, DEFINITIONS, HISTORY, MAIL, PROOFS
from runtime.store.plan import (
    COMMANDS,
    HANDLED,
    INSERTED_ACTORS,
    POSTED,
    REMOVED,
    RESCHEDULED,
    UPDATED_ACTORS,
    CommitPlan,
    Layout,
)
from runtime.store.postgresql.text import kept_column

__all__ = ["NODES", "PARTS", "CommitPart", "columns_of_tables", "named_statements", "rows_of", "schema_steps"]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_TABLE = re.compile(r"^create table (\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^  (?!primary key)(\w+) ", re.MULTILINE)
_FILES = ("postgresql_queries.sql", "postgresql_doctor.sql")
_FIRST_ARRAY = 6  # What stands before the arrays of a commit: its name, generation and three counts.
_NOW = "extract(epoch from clock_timestamp())::double precision"

NODES = "name, incarnation, address, kinds, version, lease_until_s, lease_s, clock_off_s, carries"

_TYPES = {
    "bytea": "last_id conversation state timers id envelope cause caused was_last_id",
    "double precision": "due_at_s updated_at_s started_at_s progressed_at_s owed_at_s unknown_at_s sent_at_s "
    "parked_at_s handled_at_s",
    "bigint": "revision sequence was_revision",
    "integer": "shard attempts",
    "boolean": "is_turn",
}
_TYPE_OF = {name: type for type, names in _TYPES.items() for name in names.split()}  # every other column is a text


@dataclass(frozen=True, slots=True)
class CommitPart:
    """One part of a commit: which rows of a plan it writes, and where they stand among the parameters."""

    name: str  # as in the statement, and as a field of CommitPlan
    layout: Layout
    first: int  # number of its first parameter

    def as_rows(self) -> str:
        numbered = enumerate(self.layout.names, self.first)
        arrays = ", ".join(f"${number}::{_TYPE_OF.get(name, 'text')}[]" for number, name in numbered)
        return f"unnest({arrays}) as wanted ({', '.join(self.layout.names)})"

    def arrays(self, values: Sequence[object]) -> list[Sequence[object]]:
        """The rows of a flat list as arrays, in the order in which every node locks them."""
        columns = zip(self.layout.names, self.layout.columns(values), strict=True)
        return [column if name in _TYPE_OF else kept_column(column) for name, column in columns]


def _parts() -> tuple[CommitPart, ...]:
    layouts: dict[str, Layout] = {
        "updated": UPDATED_ACTORS,
        "inserted": INSERTED_ACTORS,
        "consumed": REMOVED,
        "given_up": REMOVED,
        "rescheduled": RESCHEDULED,
        "handled": HANDLED,
        "posted": POSTED,
        "commands": COMMANDS,
    }
    parts, first = [], _FIRST_ARRAY
    for name, layout in layouts.items():
        parts.append(CommitPart(name, layout, first))
        first += layout.width
    return tuple(parts)


PARTS = _parts()


@cache
def named_statements() -> Mapping[str, str]:
    """Every statement by its name, without comments."""
    _, *found = _NAME.split("\n".join(_read(file) for file in _FILES))
    names, bodies = found[::2], found[1::2]
    return MappingProxyType({name: _filled(body) for name, body in zip(names, bodies, strict=True)})


@cache
def schema_steps() -> tuple[str, ...]:
    """The scripts that lead from an empty schema to the present one; the n-th (from 1) makes version n."""
    return (_read("postgresql_schema_1.sql"),)


@cache
def columns_of_tables() -> Mapping[str, tuple[str, ...]]:
    """What the first step of the schema makes; later steps only add to it."""
    found = {table: tuple(_COLUMN.findall(body)) for table, body in _TABLE.findall(schema_steps()[0])}
    return MappingProxyType(found)


def _read(name: str) -> str:
    return resources.files("runtime.store").joinpath("sql", name).read_text(encoding="utf-8")


def _filled(body: str) -> str:
    text = "\n".join(line for line in body.splitlines() if line and not line.lstrip().startswith("--"))
    changed = [name for name in ACTORS.names if name not in ("kind", "key")]
    places = {
        "now": _NOW,
        "nodes": NODES,
        "set_actors": ", ".join(f"{name} = wanted.{name}" for name in changed),
        **{columns.table: str(columns) for columns in (ACTORS, MAIL, HISTORY, DEFINITIONS, PROOFS)},
        **{part.name: part.as_rows() for part in PARTS},
    }
    for place, filled in places.items():
        text = text.replace(f"{{{place}}}", filled)
    return text.strip().rstrip(";")


def rows_of(plan: CommitPlan, part: CommitPart) -> Sequence[object]:
    """The flat list of a plan that a part writes."""
    lists: dict[str, Sequence[object]] = {
        "updated": plan.updated,
        "inserted": plan.inserted,
        "consumed": plan.consumed,
        "given_up": plan.given_up,
        "rescheduled": plan.rescheduled,
        "handled": plan.history,
        "posted": plan.mail,
        "commands": plan.commands,
    }
    return lists[part.name]
