"""The list of sagas, stalest first: filters and the place of the page stand in the address."""

from __future__ import annotations

import math
from collections.abc import Mapping

from runtime.errors import InvalidMessage
from runtime.operate.standing import saga_kinds
from runtime.operate.survey import STATUSES, Wanted, place_of, place_text, sagas
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, link
from runtime.page.screen import Screen
from runtime.store.summaries import SummaryOrder

__all__ = ["FIELDS", "saga_list", "wanted_of"]

FIELDS = ("status", "kind", "key", "step", "error", "idle", "age", "letters", "owing", "unknown")  # of the filter
_PAGE = 100


async def saga_list(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises InvalidMessage for a filter that means nothing, and StoreError."""
    query = target.query
    wanted, order = wanted_of(query), _order(query.get("order", ""))
    after = place_of(query["after"]) if query.get("after") else None
    async with desk.view() as store:
        now_s = await store.now_s()
        page = await sagas(store, wanted, limit=_PAGE, order=order, after=after)
        kinds = sorted(await saga_kinds(store))
    chosen = {name: query[name] for name in (*FIELDS, "order") if query.get(name)}
    onward = link("/sagas", {**chosen, "after": place_text(page.next)}) if page.next else ""
    values = {
        "entries": page.entries,
        "filter": {name: query.get(name, "") for name in (*FIELDS, "order")},
        "chosen_statuses": wanted.statuses,
        "statuses": STATUSES,
        "sorts": [one.value for one in SummaryOrder],
        "kinds": kinds,
        "first": link("/sagas", chosen) if after else "",
        "next": onward,
        "now_s": now_s,
        "repair": link("/repair", chosen) if desk.acting is not None else "",
    }
    return Screen("sagas", "Sagas", ("list",), ("filter",), values, is_for_all=True)


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """The filter that an address says. Raises InvalidMessage."""
    statuses = tuple(one for one in query.get("status", "").split(",") if one)
    if wrong := [one for one in statuses if one not in STATUSES]:
        raise InvalidMessage(f"no saga has the status {wrong[0]!r}; there are {', '.join(STATUSES)}")
    return Wanted(
        statuses=statuses,
        kind=query.get("kind", ""),
        key=query.get("key", ""),
        step=query.get("step", ""),
        error=query.get("error", ""),
        idle_s=_seconds(query, "idle"),
        age_s=_seconds(query, "age"),
        has_dead_letters=query.get("letters", "") == "yes",
        owes=query.get("owing", "") == "yes",
        is_unknown=query.get("unknown", "") == "yes",
    )


def _seconds(query: Mapping[str, str], name: str) -> float:
    text = query.get(name, "") or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0 or math.isinf(seconds):
        raise InvalidMessage(f"{name}={text!r} is no number of seconds from 0 on")
    return seconds


def _order(name: str) -> SummaryOrder:
    try:
        return SummaryOrder(name or SummaryOrder.PROGRESS)
    except ValueError:
        raise InvalidMessage(f"order={name!r} is no order; there are {', '.join(SummaryOrder)}") from None
