"""Processes that nobody drives, and what a message means to its process, as the store's subscriptions tell.

A saga has a record of its own. A choreography has none: it is what its conversation says, and what still waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from runtime.envelope import Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.operate.deadlines import overdue_among, overdue_conversations
from runtime.operate.process_entry import AT_REST, OVERDUE, ProcessEntry, ProcessId, process_entry
from runtime.operate.process_place import ListingPart, ProcessPlace
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, ClusterView, HistoryRow, MailRow, Subscription

__all__ = ["ProcessPage", "choreographies_of", "lost_with", "processes"]

_Mail = dict[ProcessId, list[tuple[MailRow, Envelope]]]
_Listed = tuple[ProcessEntry, ProcessPlace]
_PAGE = 500


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
class ProcessPage:
    """Some of the processes that fit, and where the others begin."""

    entries: tuple[tuple[ProcessEntry, ProcessPlace], ...]
    more: bool
    needs_a_person: bool  # whether any that fits does, also one that is not among the entries

    @property
    def next(self) -> ProcessPlace | None:
        return self.entries[-1][1] if self.more else None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which processes are listed. What is empty, or zero, asks for nothing."""

    kind: str
    key: str  # how the key begins
    status: str
    since_s: float  # started no later

    @property
    def parts(self) -> tuple[ListingPart, ...]:
        """Those in which one that fits can be."""
        overdue = (ListingPart.WITH_MAIL, ListingPart.SAID_OVERDUE, ListingPart.OVERDUE)
        return {"": tuple(ListingPart), OVERDUE: overdue, AT_REST: (ListingPart.AT_REST,)}.get(
            self.status, (ListingPart.WITH_MAIL,)
        )

    def fits(self, entry: ProcessEntry) -> bool:
        return (
            self.kind in ("", entry.kind)
            and entry.key.startswith(self.key)
            and (self.status in ("", entry.status) or (self.status == OVERDUE and entry.overdue_since_s > 0))
            and entry.started_at_s <= self.since_s
        )


async def processes(
    store: OperatorStore,
    *,
    kind: str = "",
    key: str = "",
    status: str | None = None,
    age_s: float = 0.0,
    limit: int,
    after: ProcessPlace | None = None,
) -> ProcessPage:
    """Processes of every choreography, open ones first, then those at rest; up to `limit`, from behind a place on.

    A process is known by its mail, by its deadline, and by what was handled of the events that start it. First come
    those with mail, by their start, which are found in one pass over all mail; then those that are overdue and have
    none, by the columns of deadlines, the longest overdue of each process first. Those at rest come by their
    conversation, which is nearly by their start. The history is read until the page is full, and not at all where only
    open ones are wanted. A process that changes while pages are read may come twice, or not at all.

    Raises StoreError.
    """
    view = await store.cluster()
    wanted, mail = _Wanted(kind, key, status or "", view.now_s - age_s), await _mail(store, view)
    with_mail = await _with_mail(store, view, wanted, mail) if ListingPart.WITH_MAIL in wanted.parts else []
    listing = _Listing(store, view, wanted, mail.keys(), with_mail)
    found = list[_Listed]()
    async for one in listing.behind(after):
        found.append(one)
        if len(found) > limit:
            break
    needed = any(one.needs_a_person for one, _ in found) or await listing.needs_a_person()
    return ProcessPage(tuple(found[:limit]), len(found) > limit, needed)


@dataclass(frozen=True, slots=True)
class _Listing:
    """All processes that fit, part by part."""

    store: OperatorStore
    view: ClusterView
    wanted: _Wanted
    mailed: Container[ProcessId]  # They have mail.
    with_mail: Sequence[_Listed]  # Those of them that fit, in their order.

    async def behind(self, after: ProcessPlace | None) -> AsyncIterator[_Listed]:
        for part in ListingPart if after is None else after.parts_left:
            if part in self.wanted.parts:
                async for one in self._of(part, after if after is not None and part is after.part else None):
                    yield one

    async def needs_a_person(self) -> bool:
        for part in self.wanted.parts:
            if part is not ListingPart.AT_REST:
                async for one, _ in self._of(part, None):
                    if one.needs_a_person:
                        return True
        return False

    def _of(self, part: ListingPart, after: ProcessPlace | None) -> AsyncIterator[_Listed]:
        match part:
            case ListingPart.WITH_MAIL:
                return self._with_mail(after)
            case ListingPart.SAID_OVERDUE | ListingPart.OVERDUE:
                return self._overdue(part, after)
            case ListingPart.AT_REST:
                return self._resting(after)
            case _:
                assert_never(part)

    async def _with_mail(self, after: ProcessPlace | None) -> AsyncIterator[_Listed]:
        for entry, place in self.with_mail:
            if after is None or place.order > after.order:
                yield entry, place

    async def _overdue(self, part: ListingPart, after: ProcessPlace | None) -> AsyncIterator[_Listed]:
        is_said, process = part is ListingPart.SAID_OVERDUE, self.wanted.kind
        async for one in overdue_conversations(self.store, self.view, process=process, is_said=is_said, after=after):
            if one.id not in self.mailed and self.wanted.fits(entry := process_entry(one.id, None, [], one.record)):
                yield entry, ProcessPlace(part, one.record.due_at_s, one.conversation, one.process)

    async def _resting(self, after: ProcessPlace | None) -> AsyncIterator[_Listed]:
        seen = (b"", "") if after is None else (after.conversation, after.process)
        async for page in _begun(self.store, self.view, self.wanted.kind, seen[0]):
            found = {
                id: process_entry(id, first, [])
                for id, first in page
                if id not in self.mailed and (id[1], id[0]) > seen
            }
            fitting = {id: entry for id, entry in found.items() if self.wanted.fits(entry)}
            overdue = await overdue_among(self.store, self.view, fitting.keys())
            for id, entry in fitting.items():
                if id not in overdue:
                    yield entry, ProcessPlace(ListingPart.AT_REST, 0.0, id[1], id[0])


async def _with_mail(store: OperatorStore, view: ClusterView, wanted: _Wanted, mail: _Mail) -> list[_Listed]:
    overdue = await overdue_among(store, view, mail.keys())
    found = list[_Listed]()
    for id, waiting in mail.items():
        entry = process_entry(id, await _start(store, view, id), waiting, overdue.get(id))
        if wanted.fits(entry):
            found.append((entry, ProcessPlace(ListingPart.WITH_MAIL, entry.started_at_s, id[1], id[0])))
    return sorted(found, key=lambda one: one[1].order)


def _starting(view: ClusterView) -> dict[str, list[Subscription]]:
    """The events that start each process."""
    names, found = choreographies_of(view), dict[str, list[Subscription]]()
    for one in view.subscriptions:
        if one.starts and one.process in names:
            found.setdefault(one.process, []).append(one)
    return found


async def _start(store: OperatorStore, view: ClusterView, id: ProcessId) -> HistoryRow | None:
    """The first that was handled of the events that start this one."""
    process, conversation = id
    events = {(one.kind, one.event_type) for one in _starting(view).get(process, ())}
    rows = [row for row in await store.conversation(conversation) if (row.kind, row.type) in events]
    return min(rows, key=lambda row: row.sent_at_s, default=None)


async def _begun(
    store: OperatorStore, view: ClusterView, process: str, conversation: bytes
) -> AsyncIterator[list[tuple[ProcessId, HistoryRow]]]:
    """Each process that was started, with the first that was handled of the events that start it.

    They come by conversation, and of one by their names, from a conversation on.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for name, subscriptions in _starting(view).items():
        for one in subscriptions if process in ("", name) else ():
            names.setdefault((one.kind, one.event_type), []).append(name)
    after, begun = (conversation, b""), dict[ProcessId, HistoryRow]()
    while page := await store.handled_of([*names], limit=_PAGE, after=after):
        after = (page[-1].conversation, page[-1].id)
        for row in page:
            for name in names[row.kind, row.type]:
                first = begun.setdefault((name, row.conversation), row)
                begun[name, row.conversation] = min(first, row, key=lambda one: one.sent_at_s)
        last = {id: row for id, row in begun.items() if row.conversation == after[0]}  # the next page may have more
        yield _in_order((id, row) for id, row in begun.items() if id not in last)
        begun = last
    yield _in_order(begun.items())


def _in_order(begun: Iterable[tuple[ProcessId, HistoryRow]]) -> list[tuple[ProcessId, HistoryRow]]:
    return sorted(begun, key=lambda one: (one[0][1], one[0][0]))


async def _mail(store: OperatorStore, view: ClusterView) -> _Mail:
    """What waits or is parked of each process."""
    rows = [row async for row in _all_mail(store)]
    found: _Mail = {}
    for row in rows:
        try:
            envelope = decode(row.envelope)
        except InvalidMessage:
            continue  # `dead-letters` lists it
        if envelope.process in choreographies_of(view):
            found.setdefault((envelope.process, row.conversation), []).append((row, envelope))
    return found


async def _all_mail(store: OperatorStore) -> AsyncIterator[MailRow]:
    after: MailRow | None = None
    while page := await store.every_mail(limit=_PAGE, after=after):
        after = page[-1]
        for row in page:
            yield row
