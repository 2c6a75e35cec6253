"""Reads what actors tell of themselves, page by page, along the index `actors_summary`.

    groups: pairs of kind and status ──one query each, in order──▶ merged, up to the limit

The index holds the rows of a pair in the order of their progress. So a page costs what it shows, however many rows
there are. Only a filter that few rows fit makes a query go on through its pair; it reads kind, status, progress and
key in the index, and looks at a row itself only where these fit.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import apsw

from runtime.store.columns import ACTORS
from runtime.store.summaries import ActorSummary, SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow

__all__ = ["count_summaries", "count_versions", "groups_of", "read_summaries"]

_TOLD = ", ".join(name for name in ACTORS.names[ACTORS.names.index("status") :])

_NEXT_KIND = """select kind from actors indexed by actors_summary
where status is not null and kind > ? order by kind limit 1"""

_NEXT_STATUS = """select status from actors indexed by actors_summary
where kind = ? and status > ? order by status limit 1"""

_COUNTS = """select kind, status, count(*) from actors indexed by actors_summary
where status is not null group by kind, status order by kind, status"""

_VERSIONS = """select version, count(*) from actors indexed by actors_summary
where kind = ? and status = ? group by version"""

_LETTERS = """select count(*) from mail
where mail.kind = actors.kind and mail.shard = actors.shard and mail.key = actors.key and parked <> ''"""

# A term is left out where the filter does not ask for it: a query may go through very many entries.
_TERMS: Mapping[str, str] = {
    "progressed_by_s": "progressed_at_s <= :progressed_by_s",
    "prefix": "instr(key, :prefix) = 1",
    "has_dead_letters": "key in (select key from mail where kind = :kind and parked <> '') "
    "and (kind, shard, key) in (select kind, shard, key from mail where parked <> '')",
    "owes": "rowid in (select rowid from actors where kind = :kind and owed_at_s is not null)",
    "is_unknown": "rowid in (select rowid from actors where kind = :kind and unknown_at_s is not null)",
    "started_by_s": "started_at_s <= :started_by_s",
    "step": "instr(', ' || step || ', ', ', ' || :step || ', ') > 0",
    "error": "instr(lower(error), lower(:error)) > 0",
}
_NO_FILTER = SummaryFilter()

_BY_PROGRESS = f"""select kind, key, shard, ({_LETTERS}), {_TOLD} from actors indexed by actors_summary
where kind = :kind and status = :status and (progressed_at_s, kind, key) > (:after_s, :after_kind, :after_key) {{fits}}
order by progressed_at_s, key limit :limit"""

# The rows are sorted as entries of the index. Only those of the page are read.
_BY_KEY = f"""select kind, key, shard, ({_LETTERS}), {_TOLD} from actors where rowid in (
  select rowid from actors indexed by actors_summary
  where kind = :kind and status = :status and (kind, key) > (:after_kind, :after_key) {{fits}}
  order by key limit :limit
) order by key"""

_STATEMENTS = {SummaryOrder.PROGRESS: _BY_PROGRESS, SummaryOrder.KEY: _BY_KEY}
_FIRST = SummaryPlace(-math.inf, "", "")


def read_summaries(
    connection: apsw.Connection,
    wanted: SummaryFilter,
    *,
    order: SummaryOrder,
    limit: int,
    after: SummaryPlace | None = None,
) -> list[SummaryRow]:
    """A page, all of it as the store was at one instant."""
    parameters = {**_parameters(wanted), **_from(after or _FIRST), "limit": limit}
    asked = [term for name, term in _TERMS.items() if getattr(wanted, name) != getattr(_NO_FILTER, name)]

    def rows_of(kind: str, status: str) -> Iterator[SummaryRow]:
        carried = _carried(wanted, kind)
        terms = [*asked, f"version not in ({', '.join(f':{name}' for name in carried)})"] if carried else asked
        sql = _STATEMENTS[order].format(fits=" ".join(f"and {term}" for term in terms))
        found = connection.execute(sql, {**parameters, **carried, "kind": kind, "status": status})
        return (SummaryRow(kind, key, shard, ActorSummary(*told), letters) for _, key, shard, letters, *told in found)

    with connection:
        pairs = [pair for pair in groups_of(connection) if _is_wanted(wanted, *pair)]
        pages = [list(rows_of(*pair)) for pair in pairs]
    return list(islice(heapq.merge(*pages, key=lambda row: row.place.in_order(order)), limit))


def count_summaries(connection: apsw.Connection) -> list[tuple[str, str, int]]:
    counts: list[Any] = connection.execute(_COUNTS).fetchall()
    return counts


def count_versions(connection: apsw.Connection, statuses: Sequence[str]) -> list[tuple[str, str, str, int]]:
    """A status costs as many rows as have it. All that is read is as the store was at one instant."""
    found: list[tuple[str, str, str, int]] = []
    with connection:
        for kind, status in [*groups_of(connection)]:
            if not statuses or status in statuses:
                counts: list[Any] = connection.execute(_VERSIONS, (kind, status)).fetchall()
                found += [(kind, version, status, count) for version, count in counts]
    return sorted(found)


def groups_of(connection: apsw.Connection) -> Iterator[tuple[str, str]]:
    """Each kind with each status that its rows have, by one seek in the index for each."""
    kind = ""
    while found := connection.execute(_NEXT_KIND, (kind,)).fetchone():
        kind, status = str(found[0]), ""
        while found := connection.execute(_NEXT_STATUS, (kind, status)).fetchone():
            status = str(found[0])
            yield kind, status


def _is_wanted(wanted: SummaryFilter, kind: str, status: str) -> bool:
    is_asked_for = not wanted.statuses or status in wanted.statuses
    return wanted.kind in ("", kind) and is_asked_for and status not in wanted.not_statuses


def _carried(wanted: SummaryFilter, kind: str) -> dict[str, str]:
    """The versions of this kind that are not wanted, by names of parameters: compared one by one, which is fastest."""
    start = f"{kind}/"
    versions = [one.removeprefix(start) for one in wanted.not_carried or () if one.startswith(start)]
    return {f"carried_{number}": version for number, version in enumerate(dict.fromkeys(versions))}


def _parameters(wanted: SummaryFilter) -> dict[str, object]:
    return {
        "prefix": wanted.prefix,
        "step": wanted.step,
        "error": wanted.error,
        "progressed_by_s": wanted.progressed_by_s,
        "started_by_s": None if wanted.started_by_s == math.inf else wanted.started_by_s,
        "has_dead_letters": wanted.has_dead_letters,
        "owes": wanted.owes,
        "is_unknown": wanted.is_unknown,
    }


def _from(place: SummaryPlace) -> dict[str, object]:
    return {"after_s": place.progressed_at_s, "after_kind": place.kind, "after_key": place.key}
