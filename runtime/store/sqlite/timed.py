"""Reads which actors have timers, the next due first, along the index `actors_due`.

    slices: pairs of kind and shard ──one cursor each──▶ merged, up to the limit ──▶ the rows

The index holds a slice in the order of its instants and keys, and the cursors are read only as far as the page goes. So
a page costs what it shows, and one seek for each slice. Where few keys fit, the cursors go on through the index, and
the row of no other actor is read.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Container, Iterator
from itertools import islice

import apsw

from runtime.store.columns import ACTORS
from runtime.store.records import ActorRow
from runtime.store.sqlite.rows import actor_row
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["read_timed", "slices_of"]

_NEXT_KIND = """select kind from actors indexed by actors_due
where due_at_s is not null and kind > ? order by kind limit 1"""

_NEXT_SHARD = """select shard from actors indexed by actors_due
where due_at_s is not null and kind = ? and shard > ? order by shard limit 1"""

_PLACES = """select due_at_s, kind, key from actors indexed by actors_due
where due_at_s is not null and kind = :kind and shard = :shard and due_at_s between :after_s and :due_by_s
  and instr(key, :prefix) = 1 and (due_at_s, kind, key) > (:after_s, :after_kind, :after_key)
order by due_at_s, key"""

_ROW = f"select {ACTORS} from actors where kind = ? and key = ?"

_FIRST = TimedPlace(-math.inf, "", "")


def read_timed(
    connection: apsw.Connection, wanted: TimedFilter, *, limit: int, after: TimedPlace | None = None
) -> list[ActorRow]:
    """A page, all of it as the store was at one instant."""
    place = after or _FIRST
    parameters = {
        "prefix": wanted.prefix,
        "due_by_s": wanted.due_by_s,
        "after_s": place.due_at_s,
        "after_kind": place.kind,
        "after_key": place.key,
    }

    def places(kind: str, shard: int) -> Iterator[tuple[float, str, str]]:
        for due_at_s, _, key in connection.execute(_PLACES, {**parameters, "kind": kind, "shard": shard}):
            yield due_at_s, kind, key

    with connection:
        slices = [places(kind, shard) for kind, shard in slices_of(connection, wanted.kinds)]
        found = heapq.merge(*slices)
        chosen = list(islice(found, limit))
        rows = [row for _, *address in chosen for row in connection.execute(_ROW, address)]
    return [actor_row(*row) for row in rows]


def slices_of(connection: apsw.Connection, kinds: Container[str] = ()) -> Iterator[tuple[str, int]]:
    """Each of these kinds, or of all, with each shard that has a timer, by one seek in the index for each."""
    kind = ""
    while found := connection.execute(_NEXT_KIND, (kind,)).fetchone():
        kind, shard = str(found[0]), -1
        if kinds and kind not in kinds:
            continue
        while found := connection.execute(_NEXT_SHARD, (kind, shard)).fetchone():
            shard = int(found[0])
            yield kind, shard
