"""Processes that nobody drives, and what a message means to its process, as the store's subscriptions tell.

A saga has a record of its own. A choreography has none: it is what its conversation says, and what still waits.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from runtime.envelope import Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.store.port import Store
from runtime.store.records import ActorRow, ClusterView, HistoryRow, MailRow

__all__ = ["AT_REST", "ProcessEntry", "choreographies_of", "kinds_of", "lost_with", "processes"]

AT_REST = "at rest"

_Id = tuple[str, bytes]  # process and conversation
_PAGE = 500
_SHARDS = range(4096)  # as many as a kind can have


def kinds_of(view: ClusterView) -> tuple[str, ...]:
    """Every kind the cluster has ever heard of."""
    kinds = {row.kind for row in view.shards} | {one.kind for one in view.subscriptions}
    return tuple(sorted(kinds.union(*(node.kinds for node in view.nodes))))


def choreographies_of(view: ClusterView) -> frozenset[str]:
    """The processes that nobody drives: a saga's subscriptions are those of its own kind."""
    return frozenset(one.process for one in view.subscriptions if one.process not in ("", one.kind))


def lost_with(view: ClusterView, envelope: Envelope, row: ActorRow | None) -> str:
    """What ends for good when this message is never handled; empty when somebody waits for it, or nobody needs it.

    `row` is the row of the actor it is for.
    """
    to = address_of(envelope.kind, envelope.key)
    if envelope.reply_to or envelope.in_reply_to:
        return ""  # a saga asked for it, and asks again or turns back
    if _starts_saga(view, envelope):
        if row is not None:
            return ""  # it has begun, by another one
        return f"{envelope.type} is what starts {to}. Discarded, that process never begins, and nobody is told"
    if envelope.process in choreographies_of(view):
        return (
            f"{envelope.type} moves the choreography {envelope.process} on, in which nobody asks twice. Discarded, "
            f"{to} never hears of it, and what was done before stays as it is, neither finished nor undone"
        )
    return ""


def _starts_saga(view: ClusterView, envelope: Envelope) -> bool:
    return any(
        one.starts and one.event_type == envelope.type and one.kind == one.process == envelope.kind
        for one in view.subscriptions
    )


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process that nobody drives. Instants are seconds since 1970."""

    kind: str  # the choreography's name
    key: str  # of the actor that began with it
    conversation: str
    status: str  # "parked" or "waiting", for mail that there is; else "at rest": nobody has anything to do
    open: tuple[str, ...]  # what is parked or waits, and for whom
    started_at_s: float
    dead_letters: int

    @property
    def needs_a_person(self) -> bool:
        return self.dead_letters > 0


async def processes(
    store: Store, *, kind: str = "", key: str = "", status: str | None = None, age_s: float = 0.0, limit: int
) -> tuple[list[ProcessEntry], int, bool]:
    """Processes of every choreography, open ones first, then by their start; up to `limit`.

    Gives how many more fit as well, and whether any that fits needs a person. A process is known by its mail, and by
    what was handled of the events that start it: one pass over all mail, one over the history for each such event.
    Raises StoreError.
    """
    view = await store.cluster()
    begun = await _begun(store, view)
    mail = await _mail(store, view)
    found = [_entry(one, begun.get(one), mail.get(one, [])) for one in {**begun, **mail}]
    fitting = [
        entry
        for entry in found
        if kind in ("", entry.kind)
        and entry.key.startswith(key)
        and status in (None, entry.status)
        and entry.started_at_s <= view.now_s - age_s
    ]
    fitting.sort(key=lambda entry: (entry.status == AT_REST, entry.started_at_s, entry.kind, entry.key))
    return fitting[:limit], max(0, len(fitting) - limit), any(entry.needs_a_person for entry in fitting)


async def _begun(store: Store, view: ClusterView) -> dict[_Id, HistoryRow]:
    """The first that was handled of the event that started each."""
    found: dict[_Id, HistoryRow] = {}
    for one in view.subscriptions:
        if one.process not in choreographies_of(view) or not one.starts:
            continue
        after = (b"", b"")
        while page := await store.handled_of(one.kind, one.event_type, limit=_PAGE, after=after):
            for row in page:
                first = found.setdefault((one.process, row.conversation), row)
                if row.sent_at_s < first.sent_at_s:
                    found[one.process, row.conversation] = row
            after = (page[-1].conversation, page[-1].id)
    return found


async def _mail(store: Store, view: ClusterView) -> dict[_Id, list[tuple[MailRow, Envelope]]]:
    """What waits or is parked of each process."""
    rows = [row async for row in _all_mail(store, view)]
    found: dict[_Id, list[tuple[MailRow, Envelope]]] = {}
    for row in rows:
        try:
            envelope = decode(row.envelope)
        except InvalidMessage:
            continue  # `dead-letters` lists it
        if envelope.process in choreographies_of(view):
            found.setdefault((envelope.process, row.conversation), []).append((row, envelope))
    return found


async def _all_mail(store: Store, view: ClusterView) -> AsyncIterator[MailRow]:
    every = sys.float_info.max
    for kind in kinds_of(view):
        after: MailRow | None = None
        while page := await store.waiting(
            kind, _SHARDS, due_before_s=every, sent_before_s=every, limit=_PAGE, after=after
        ):
            after = page[-1]
            for row in page:
                yield row
    id = b""
    while letters := await store.dead_letters(limit=_PAGE, after=id):
        id = letters[-1].id
        for row in letters:
            yield row


def _entry(id: _Id, start: HistoryRow | None, mail: list[tuple[MailRow, Envelope]]) -> ProcessEntry:
    process, conversation = id
    mail.sort(key=lambda one: (not one[0].parked, one[0].sent_at_s, one[0].id))
    parked = sum(bool(row.parked) for row, _ in mail)
    first = start or min((row for row, _ in mail), key=lambda row: row.sent_at_s)
    return ProcessEntry(
        kind=process,
        key=first.key,
        conversation=conversation.hex(),
        status="parked" if parked else "waiting" if mail else AT_REST,
        open=tuple(f"{one.type} for {address_of(*row.address)}" for row, one in mail),
        started_at_s=first.sent_at_s,
        dead_letters=parked,
    )
