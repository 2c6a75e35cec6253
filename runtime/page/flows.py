"""What the catalogue does as a whole: which process sends what to which kind, with what waits there now.

signatures and definitions ──flow_map──▶ a picture, and the same as a table      what the checker finds
the store ──standing──▶ counts by kind, in both
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from runtime.operate.dead_letters import NotFound
from runtime.operate.standing import StoreStanding, standing_of
from runtime.operate.stored_kinds import lost_kinds, wrong_names
from runtime.operate.survey import hosts_of
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, link
from runtime.page.screen import ROWS_MAX, Download, Screen
from runtime.saga.flow_map import FlowMap, mermaid_of
from runtime.saga.flow_picture import picture_of
from runtime.store.records import ClusterView

__all__ = ["flows", "kinds_of"]


@dataclass(frozen=True, slots=True)
class KindLine:
    """One kind of the catalogue, and what stands there now."""

    kind: str
    is_saga: bool
    hosts: tuple[str, ...]  # live nodes that have it
    waiting: int  # messages that wait for its actors
    waiting_since_s: float | None
    letters: int  # dead letters
    open: int  # sagas that have not ended
    sagas: str  # the address of the list of those; empty for a service

    @property
    def letters_link(self) -> str:
        return link("/dead-letters", {"kind": self.kind})

    @property
    def told(self) -> str:
        """In a few words, for the picture; empty where nothing stands there."""
        parts = ((self.open, "open"), (self.waiting, "waiting"), (self.letters, "given up"))
        return ", ".join(f"{count:,} {what}" for count, what in parts if count)


async def flows(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for a form that is none, and StoreError."""
    known = desk.known
    if known is None:
        return Screen("flows", "Flows", still=("unknown",))
    flow = known.flow
    if len(target.path) > 1 and target.path[1]:
        return _saved(flow, target.path[1])
    async with desk.view() as store:
        view, standing = await store.cluster(), await standing_of(store)
        wrong = await wrong_names(store, known.names, known.kinds)
        wrong += await lost_kinds(store, known.names, known.kinds)
    lines = kinds_of(flow, view, standing)
    values = {
        "picture": Markup(picture_of(flow, {line.kind: line.told for line in lines if line.told})),  # it escapes names
        "kinds": lines[:ROWS_MAX],
        "arrows": flow.arrows[:ROWS_MAX],
        "more_arrows": max(0, len(flow.arrows) - ROWS_MAX),
        "findings": {"wrong": wrong[:ROWS_MAX], "warnings": known.findings[:ROWS_MAX]},
        "now_s": standing.now_s,
    }
    parts = ("findings", "map", "kinds", "messages")  # all of them live, so that they stand in this order
    return Screen("flows", "Flows", parts, values=values, is_for_all=True)


def kinds_of(flow: FlowMap, view: ClusterView, standing: StoreStanding) -> list[KindLine]:
    """Those with dead letters first, then those for which something waits, then as the catalogue has them."""
    waiting, letters = {one.kind: one for one in standing.mail}, {one.kind: one.count for one in standing.letters}
    open_: dict[str, int] = {}
    for _, tally in standing.sagas:
        open_[tally.kind] = open_.get(tally.kind, 0) + tally.count
    lines = [
        KindLine(
            kind=kind,
            is_saga=kind in flow.sagas,
            hosts=hosts_of(view, kind),
            waiting=waiting[kind].count if kind in waiting else 0,
            waiting_since_s=waiting[kind].oldest_at_s if kind in waiting else None,
            letters=letters.get(kind, 0),
            open=open_.get(kind, 0),
            sagas=link("/sagas", {"kind": kind}) if kind in flow.sagas else "",
        )
        for kind in (*flow.sagas, *flow.services)
    ]
    return sorted(lines, key=lambda line: (not line.letters, not line.waiting))


def _saved(flow: FlowMap, form: str) -> Screen:
    match form:
        case "svg":
            file = Download("flows.svg", "image/svg+xml; charset=utf-8", picture_of(flow).encode())
        case "mermaid":
            file = Download("flows.mmd", "text/plain; charset=utf-8", mermaid_of(flow).encode())
        case _:
            raise NotFound(f"flows are saved as svg or mermaid, and not as {form!r}")
    return Screen("flows", "Flows", download=file)
