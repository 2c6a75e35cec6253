"""Processes that nobody drives, and what a message means to its process, as the store's subscriptions tell.

A saga has a record of its own. A choreography has none: it is what its conversation says, and what still waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container
from dataclasses import dataclass

from runtime.envelope import Envelope, address_of, decode, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.deadlines import overdue_among, overdue_conversations
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, ClusterView, HistoryRow, MailRow, Subscription

__all__ = ["AT_REST", "OVERDUE", "ProcessEntry", "ProcessPage", "choreographies_of", "lost_with", "processes"]

AT_REST = "at rest"
OVERDUE = "overdue"

_Id = tuple[str, bytes]  # process and conversation
_Mail = dict[_Id, list[tuple[MailRow, Envelope]]]
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
class ProcessEntry:
    """One process that nobody drives. Instants are seconds since 1970."""

    kind: str  # the choreography's name
    key: str  # of the actor whose event started it
    conversation: str
    status: str  # "parked", "overdue", "waiting" for mail that there is; else "at rest": nobody has anything to do
    open: tuple[str, ...]  # what is parked or waits, and for whom
    started_at_s: float
    dead_letters: int
    overdue_since_s: float = 0.0  # when its deadline was; 0 unless it has one that is not met

    @property
    def needs_a_person(self) -> bool:
        return self.dead_letters > 0 or self.overdue_since_s > 0


@dataclass(frozen=True, slots=True)
class ProcessPage:
    """Some of the processes that fit."""

    entries: tuple[ProcessEntry, ...]
    more: bool
    needs_a_person: bool  # whether any that fits does, also one that is not among the entries


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which processes are listed. What is empty, or zero, asks for nothing."""

    kind: str
    key: str  # how the key begins
    status: str
    since_s: float  # started no later

    def fits(self, entry: ProcessEntry) -> bool:
        return (
            self.kind in ("", entry.kind)
            and entry.key.startswith(self.key)
            and (self.status in ("", entry.status) or (self.status == OVERDUE and entry.overdue_since_s > 0))
            and entry.started_at_s <= self.since_s
        )


async def processes(
    store: OperatorStore, *, kind: str = "", key: str = "", status: str | None = None, age_s: float = 0.0, limit: int
) -> ProcessPage:
    """Processes of every choreography, open ones first, then those at rest; up to `limit`.

    A process is known by its mail, by its deadline, and by what was handled of the events that start it. Open ones are
    found in one pass over all mail and by the columns of deadlines, and come by their start. If more are overdue than
    are shown, these are the longest overdue of their process. Those at rest come by their conversation, which is
    nearly by their start; the history is read until the page is full, and not at all where only open ones are wanted.

    Raises StoreError.
    """
    view = await store.cluster()
    wanted = _Wanted(kind, key, status or "", view.now_s - age_s)
    mail = await _mail(store, view)
    found = [one for one in await _with_mail(store, view, mail) if wanted.fits(one)]
    if wanted.status in ("", OVERDUE):
        found += await _overdue(store, view, wanted, mail, limit + 1)
    found.sort(key=_age)
    needed = any(one.needs_a_person for one in found)
    if wanted.status in ("", AT_REST) and len(found) <= limit:
        async for entry in _resting(store, view, wanted, mail):
            found.append(entry)
            if len(found) > limit:
                break
    return ProcessPage(tuple(found[:limit]), len(found) > limit, needed)


def _age(entry: ProcessEntry) -> tuple[float, str, str]:
    return entry.started_at_s, entry.kind, entry.key


async def _with_mail(store: OperatorStore, view: ClusterView, mail: _Mail) -> list[ProcessEntry]:
    overdue = await overdue_among(store, view, mail.keys())
    return [_entry(id, await _start(store, view, id), waiting, overdue.get(id)) for id, waiting in mail.items()]


async def _overdue(
    store: OperatorStore, view: ClusterView, wanted: _Wanted, known: Container[_Id], limit: int
) -> list[ProcessEntry]:
    found = list[ProcessEntry]()
    async for one in overdue_conversations(store, view, process=wanted.kind):
        if one.id not in known and wanted.fits(entry := _entry(one.id, None, [], one.record)):
            found.append(entry)
            if len(found) == limit:
                break
    return found


async def _resting(
    store: OperatorStore, view: ClusterView, wanted: _Wanted, known: Container[_Id]
) -> AsyncIterator[ProcessEntry]:
    async for page in _begun(store, view, wanted.kind):
        found = {id: _entry(id, first, []) for id, first in page if id not in known}
        fitting = {id: entry for id, entry in found.items() if wanted.fits(entry)}
        overdue = await overdue_among(store, view, fitting.keys())
        for id, entry in fitting.items():
            if id not in overdue:
                yield entry


def _starting(view: ClusterView) -> dict[str, list[Subscription]]:
    """The events that start each process."""
    names, found = choreographies_of(view), dict[str, list[Subscription]]()
    for one in view.subscriptions:
        if one.starts and one.process in names:
            found.setdefault(one.process, []).append(one)
    return found


async def _start(store: OperatorStore, view: ClusterView, id: _Id) -> HistoryRow | None:
    """The first that was handled of the events that start this one."""
    process, conversation = id
    events = {(one.kind, one.event_type) for one in _starting(view).get(process, ())}
    rows = [row for row in await store.conversation(conversation) if (row.kind, row.type) in events]
    return min(rows, key=lambda row: row.sent_at_s, default=None)


async def _begun(store: OperatorStore, view: ClusterView, process: str) -> AsyncIterator[list[tuple[_Id, HistoryRow]]]:
    """Each process that was started, with the first that was handled of the events that start it, by conversation."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, subscriptions in _starting(view).items():
        for one in subscriptions if process in ("", name) else ():
            names.setdefault((one.kind, one.event_type), []).append(name)
    after, begun = (b"", b""), dict[_Id, HistoryRow]()
    while page := await store.handled_of([*names], limit=_PAGE, after=after):
        after = (page[-1].conversation, page[-1].id)
        for row in page:
            for name in names[row.kind, row.type]:
                first = begun.setdefault((name, row.conversation), row)
                begun[name, row.conversation] = min(first, row, key=lambda one: one.sent_at_s)
        last = {id: row for id, row in begun.items() if row.conversation == after[0]}  # the next page may have more
        yield [(id, row) for id, row in begun.items() if id not in last]
        begun = last
    yield [*begun.items()]


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


def _entry(
    id: _Id, start: HistoryRow | None, mail: list[tuple[MailRow, Envelope]], overdue: DeadlineRecord | None = None
) -> ProcessEntry:
    process, conversation = id
    mail.sort(key=lambda one: (not one[0].parked, one[0].sent_at_s, one[0].id))
    parked = sum(bool(row.parked) for row, _ in mail)
    first = start or min((row for row, _ in mail), key=lambda row: row.sent_at_s, default=None)
    sender = start.sender if start else overdue.started_by if overdue else mail[0][1].sender
    return ProcessEntry(
        kind=process,
        key=_key_of(sender, first.key if first else ""),
        conversation=conversation.hex(),
        status="parked" if parked else OVERDUE if overdue else "waiting" if mail else AT_REST,
        open=tuple(f"{one.type} for {address_of(*row.address)}" for row, one in mail),
        started_at_s=first.sent_at_s if first else overdue.started_at_s if overdue else 0.0,
        dead_letters=parked,
        overdue_since_s=overdue.due_at_s if overdue else 0.0,
    )


def _key_of(sender: str, otherwise: str) -> str:
    """The key of the actor whose event it is. Who reacts to it may have another, such as that of a warehouse."""
    try:
        return parse_address(sender)[1]
    except InvalidMessage:
        return otherwise  # the message is a client's
