"""Reads what actors tell of themselves, page by page: the filter as parameters of one statement."""

from __future__ import annotations

import math
from typing import Any

from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.text import given_row, kept, kept_column
from runtime.store.summaries import ActorSummary, SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow

__all__ = ["read_summaries"]

_FIRST = SummaryPlace(-math.inf, "", "")


async def read_summaries(
    connection: Any, wanted: SummaryFilter, *, order: SummaryOrder, limit: int, after: SummaryPlace | None
) -> list[SummaryRow]:
    """A page, all of it as the store was at one instant."""
    place = after or _FIRST
    behind: list[object] = [kept(place.kind), kept(place.key)]
    if order is SummaryOrder.PROGRESS:
        name, behind = "summaries_by_progress", [place.progressed_at_s, *behind]
    else:
        name = "summaries_by_key"
    rows = await connection.fetch(named_statements()[name], *_parameters(wanted), limit, *behind)
    return [_summary_row(given_row(row)) for row in rows]


def _summary_row(row: tuple[Any, ...]) -> SummaryRow:
    kind, key, shard, letters, *told = row
    return SummaryRow(kind, key, shard, ActorSummary(*told), letters)


def _parameters(wanted: SummaryFilter) -> list[object]:
    return [
        kept(wanted.kind),
        kept_column(wanted.statuses),
        kept(wanted.prefix),
        kept(wanted.step),
        kept(wanted.error),
        wanted.progressed_by_s,
        wanted.started_by_s,
        None if wanted.not_carried is None else kept_column(wanted.not_carried),
        wanted.has_dead_letters,
        kept_column(wanted.not_statuses),
        wanted.owes,
        wanted.is_unknown,
    ]
