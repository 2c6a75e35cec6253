"""Counts what whoever watches the store is told: one statement, so all of it is of one instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.text import given, kept_column
from runtime.store.tallies import Tallies, Tally

__all__ = ["read_tallies"]


async def read_tallies(connection: Any, *, uncounted: Sequence[str], actors_max: int, mail_max: int) -> Tallies:
    rows = await connection.fetch(named_statements()["tallies"], kept_column(uncounted), actors_max, mail_max)
    now_s, statuses = 0.0, list[tuple[str, str]]()
    found: dict[str, list[tuple[str, Tally]]] = {}
    for what, kind, status, count, oldest_at_s in rows:
        if what == "now":
            now_s = float(oldest_at_s)
        elif what == "status":
            statuses.append((given(kind), given(status)))
        elif count:
            found.setdefault(what, []).append((given(status), Tally(given(kind), int(count), float(oldest_at_s))))

    def by_kind(what: str) -> tuple[Tally, ...]:
        return tuple(sorted((tally for _, tally in found.get(what, ())), key=lambda tally: tally.kind))

    return Tallies(
        now_s=now_s,
        statuses=tuple(sorted(statuses)),
        actors=tuple(sorted(found.get("standing", ()), key=lambda one: (one[0], one[1].kind))),
        owed=by_kind("owed"),
        unknown=by_kind("unknown"),
        waiting=by_kind("waiting"),
        parked=by_kind("parked"),
        late=by_kind("late"),
    )
