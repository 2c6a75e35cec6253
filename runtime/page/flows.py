"""What the catalogue does as a whole: which process sends what to which kind, with what waits there now.

signatures and definitions ──flow_map──▶ a picture, and the same as a table      what the checker finds
the store ──standing, mail_by_sender──▶ counts by kind and by arrow, in both
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from runtime.operate.dead_letters import NotFound
from runtime.operate.mail_by_sender import READ_MAX, MailCount, SentBetween, mail_by_sender
from runtime.operate.standing import StoreStanding, standing_of
from runtime.operate.stored_kinds import lost_kinds, wrong_names
from runtime.operate.survey import hosts_of
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, link
from runtime.page.screen import ROWS_MAX, Download, Screen
from runtime.saga.flow_map import OUTSIDE, FlowArrow, FlowMap, mermaid_of
from runtime.saga.flow_picture import picture_of
from runtime.store.records import ClusterView

__all__ = ["ArrowLine", "KindLine", "arrows_of", "flows", "kinds_of", "others"]


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


@dataclass(frozen=True, slots=True)
class ArrowLine:
    """What passes from one kind to another, and how much of that the store holds now."""

    arrow: FlowArrow
    mail: MailCount

    @property
    def drawn(self) -> FlowArrow:
        """With what waits in its label, for the picture."""
        parts = ((self.mail.waiting, "waiting"), (self.mail.letters, "given up"))
        told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        return replace(self.arrow, label=f"{self.arrow.label} ({told})") if told else self.arrow


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
        mail = await mail_by_sender(store, standing)
        wrong = await wrong_names(store, known.names, known.kinds)
        wrong += await lost_kinds(store, known.names, known.kinds)
    lines, arrows = kinds_of(flow, view, standing), arrows_of(flow, mail or {})
    drawn = replace(flow, arrows=tuple(line.drawn for line in arrows))
    values = {
        "picture": Markup(picture_of(drawn, {line.kind: line.told for line in lines if line.told})),  # it escapes names
        "kinds": lines[:ROWS_MAX],
        "arrows": arrows[:ROWS_MAX],
        "others": others(flow, mail or {}),
        "read_max": READ_MAX if mail is None else 0,
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


def arrows_of(flow: FlowMap, mail: Mapping[SentBetween, MailCount]) -> list[ArrowLine]:
    """Mail of one type between two kinds counts at each arrow that is for it, whichever process has it sent."""
    return [
        ArrowLine(arrow, sum((count for sent, count in mail.items() if _is_of(flow, arrow, sent)), MailCount()))
        for arrow in flow.arrows
    ]


def others(flow: FlowMap, mail: Mapping[SentBetween, MailCount]) -> MailCount:
    """Of what no arrow is for, such as commands of clients."""
    left = [count for sent, count in mail.items() if not any(_is_of(flow, arrow, sent) for arrow in flow.arrows)]
    return sum(left, MailCount())


def _is_of(flow: FlowMap, arrow: FlowArrow, sent: SentBetween) -> bool:
    if sent.type not in arrow.types or sent.target != arrow.target:
        return False
    return sent.source == arrow.source or (arrow.source == OUTSIDE and sent.source not in (*flow.services, *flow.sagas))


def _saved(flow: FlowMap, form: str) -> Screen:
    match form:
        case "svg":
            file = Download("flows.svg", "image/svg+xml; charset=utf-8", picture_of(flow).encode())
        case "mermaid":
            file = Download("flows.mmd", "text/plain; charset=utf-8", mermaid_of(flow).encode())
        case _:
            raise NotFound(f"flows are saved as svg or mermaid, and not as {form!r}")
    return Screen("flows", "Flows", download=file)
