"""Operations: all of them, and one with what came of each item, by whom and why."""

from __future__ import annotations

from runtime.operate import letter_runs
from runtime.operate.audit import READ_MAX, acts_done
from runtime.operate.runs import KINDS, RunView, run_view, run_views
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, address_link, link
from runtime.page.runs.saying import run_link
from runtime.page.screen import ROWS_MAX, Screen

__all__ = ["RUN", "operations"]

RUN = "a run"
"""What the seal of the form is for that cancels or resumes one."""

_FILTERS = ("", "refused", "left", "done")


async def operations(desk: PageDesk, target: PageAddress) -> Screen:
    """One, if the address names it. Raises NotFound, InvalidMessage for a page that is none, and StoreError."""
    if target.query.get("acts") == "yes":
        return await _acts(desk)
    kind, name = target.query.get("kind", ""), target.query.get("name", "")
    if kind or name:
        return await _one(desk, target, kind, name)
    async with desk.view() as store:
        now_s = await store.now_s()
        found = await run_views(store, limit=ROWS_MAX)
    values = {"runs": [(one, run_link(one.kind, one.name), _stands(desk, one)) for one in found], "now_s": now_s}
    return Screen("operations", "Operations", ("list",), values=values, is_for_all=True)


async def _acts(desk: PageDesk) -> Screen:
    """It does not change by itself, as the whole history is read for it."""
    async with desk.view() as store:
        now_s = await store.now_s()
        found, is_all = await acts_done(store, limit=ROWS_MAX)
    values = {"acts": found, "is_all": is_all, "read_max": READ_MAX, "now_s": now_s}
    return Screen("operations", "Acts of operators", still=("acts",), values=values)


async def _one(desk: PageDesk, target: PageAddress, kind: str, name: str) -> Screen:
    only, first = target.query.get("only", ""), target.integer("from")
    async with desk.view() as store:
        now_s = await store.now_s()
        run = await run_view(store, kind, name)
    items = [one for one in run.items if only not in _FILTERS or only in ("", _outcome(one.handled, one.refusal))]
    named = {"kind": kind, "name": name}
    fields = {**named, "only": only if only in _FILTERS else ""}
    onward = first + ROWS_MAX
    acting = desk.acting
    values = {
        "run": run,
        "stands": _stands(desk, run),
        "items": [(one, _outcome(one.handled, one.refusal), address_link(one.what)) for one in items[first:onward]],
        "filters": [(one or "all", link("/operations", {**named, "only": one})) for one in _FILTERS],
        "only": fields["only"] or "all",
        "before": link("/operations", {**fields, "from": max(0, first - ROWS_MAX)}) if first else "",
        "next": link("/operations", {**fields, "from": onward}) if onward < len(items) else "",
        "named": named,
        "seal": acting.seal.of(RUN, named) if acting is not None and kind in KINDS else "",
        "who": acting.who if acting is not None else "",
        "is_known": acting is not None and acting.operator is not None,
        "acts": acting is not None and run.left > 0 and not run.cancelled,
        "is_letters": kind == letter_runs.KIND,
        "now_s": now_s,
    }
    return Screen("operations", f"Operation: {name}", ("run",), ("steer",) if values["acts"] else (), values)


def _outcome(handled: bool, refusal: str) -> str:
    return "left" if not handled else "refused" if refusal else "done"


def _stands(desk: PageDesk, run: RunView) -> str:
    """How it stands, as far as this process knows."""
    if run.cancelled:
        return f"cancelled by {run.cancelled}"
    if not run.left:
        return "ended"
    carrier = desk.acting.runs if desk.acting is not None else None
    if carrier is not None and carrier.carries(run.kind, run.name):
        return "carried on here"
    stopped = carrier.stopped.get((run.kind, run.name), "") if carrier is not None else ""
    return f"stopped: {stopped}" if stopped else "not carried on here: resume it, unless another process does it"
