"""Counts what whoever watches the store is told, group by group, along the indexes.

    groups: kinds, or pairs of kind and status ──a seek for each──▶ a count of each, which ends at a limit

The rows of a group lie in the order of their instants. So the first of them is the oldest, whatever the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import apsw

from runtime.store.sqlite.summaries import groups_of
from runtime.store.sqlite.timed import slices_of
from runtime.store.tallies import Tallies, Tally

__all__ = ["read_tallies"]

_STANDING = """select count(*), min(at_s) from (
  select progressed_at_s as at_s from actors indexed by actors_summary
  where kind = ? and status = ? order by progressed_at_s limit ?)"""

# {column} of {table} is null, or {none}, in rows that do not count; {index} holds the others.
_NEXT_KIND = "select kind from {table} indexed by {index} where {counts} and kind > ? order by kind limit 1"
_SINCE = """select count(*), min(at_s) from (
  select {column} as at_s from {table} indexed by {index} where {counts} and kind = ? order by {column} limit ?)"""

_OWED = {"table": "actors", "index": "actors_owed", "column": "owed_at_s", "counts": "owed_at_s is not null"}
_UNKNOWN = {
    "table": "actors",
    "index": "actors_unknown",
    "column": "unknown_at_s",
    "counts": "unknown_at_s is not null",
}
_PARKED = {"table": "mail", "index": "mail_parked", "column": "parked_at_s", "counts": "parked <> ''"}

_NEXT_KIND_OF_MAIL = "select kind from mail where kind > ? order by kind limit 1"
_WAITING = """select count(*), min(max(sent_at_s, due_at_s)) from (
  select sent_at_s, due_at_s, parked from mail where kind = ? order by shard, key, id limit ?) where parked = ''"""

_LATE = """select count(*), min(due_at_s) from (
  select due_at_s from actors indexed by actors_due
  where due_at_s is not null and kind = ? and shard = ? and due_at_s <= ? order by due_at_s limit ?)"""


def read_tallies(
    connection: apsw.Connection, *, now_s: float, uncounted: Sequence[str], actors_max: int, mail_max: int
) -> Tallies:
    """All of it as the store was at one instant."""
    with connection:
        statuses = tuple(groups_of(connection))
        counted = [(status, kind) for kind, status in statuses if status not in uncounted]
        standing = [
            (status, tally)
            for status, kind in sorted(counted)
            for tally in _tally(connection, _STANDING, kind, (kind, status, actors_max))
        ]
        owed, unknown, parked = (_since(connection, of, actors_max) for of in (_OWED, _UNKNOWN, _PARKED))
        waiting = tuple(
            tally
            for kind in _kinds(connection, _NEXT_KIND_OF_MAIL)
            for tally in _tally(connection, _WAITING, kind, (kind, mail_max))
        )
        late = _late(connection, now_s, actors_max)
    return Tallies(now_s, statuses, tuple(standing), owed, unknown, waiting, parked, late)


def _late(connection: apsw.Connection, now_s: float, count_max: int) -> tuple[Tally, ...]:
    """The index has a shard in the order of its instants. Of each the first is looked at, whatever the limit."""
    found: dict[str, Tally] = {}
    for kind, shard in slices_of(connection):
        before = found.get(kind)
        left = count_max - (before.count if before else 0)
        for one in _tally(connection, _LATE, kind, (kind, shard, now_s, max(left, 1))):
            oldest_at_s = min(one.oldest_at_s, before.oldest_at_s if before else math.inf)
            found[kind] = Tally(kind, count_max - max(left - one.count, 0), oldest_at_s)
    return tuple(found.values())


def _since(connection: apsw.Connection, of: dict[str, str], count_max: int) -> tuple[Tally, ...]:
    sql = _SINCE.format(**of)
    kinds = _kinds(connection, _NEXT_KIND.format(**of))
    return tuple(tally for kind in kinds for tally in _tally(connection, sql, kind, (kind, count_max)))


def _kinds(connection: apsw.Connection, next_kind: str) -> Iterator[str]:
    kind = ""
    while found := connection.execute(next_kind, (kind,)).fetchone():
        kind = str(found[0])
        yield kind


def _tally(connection: apsw.Connection, sql: str, kind: str, parameters: tuple[object, ...]) -> Iterator[Tally]:
    """Nothing for a group in which nothing counts."""
    for count, oldest_at_s in connection.execute(sql, parameters):
        if count:
            yield Tally(kind, count, oldest_at_s)
