"""Timers across all actors, the next due first: whose they are, what each is for, and when it is due.

    TimersWanted ──▶ Store.timed, page by page along an index ──▶ TimerEntry, several of one actor

Of an actor that is on a page its record is read, which tells what its timers are for. No other record is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from google.protobuf.message import DecodeError

from runtime.envelope import address_of, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.account import TimerSummary
from runtime.protos import durable_pb2
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.lock_pb2 import LockRecord
from runtime.protos.saga_pb2 import KeyRecord, SagaRecord
from runtime.saga.timer_purposes import purpose_of, purposes_of
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["TimerEntry", "TimerPage", "TimerPlace", "TimersWanted", "timer_place_of", "timers", "timers_of"]

_SAGA = SagaRecord.DESCRIPTOR.full_name
_OF_RUNTIME = {
    DeadlineRecord.DESCRIPTOR.full_name: "deadline of a conversation",
    LockRecord.DESCRIPTOR.full_name: "expiry of a lock",
    KeyRecord.DESCRIPTOR.full_name: "time for which an early event is kept",
}
_OF_SERVICE = "timer of a service"
_NOT_NEEDED = "nothing: what it was set for is settled"
_UNREADABLE = "unknown: the record of its saga cannot be read"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class TimerEntry:
    """One timer of one actor. Instants are seconds since 1970."""

    kind: str
    key: str
    name: str
    purpose: str  # in words
    due_at_s: float
    type: str  # of the message that it brings
    attempts: int  # failed runs of the handler of that


@dataclass(frozen=True, slots=True)
class TimerPlace:
    """Where a page ends: at a timer of an actor, all of whose timers need not be on it."""

    actor: TimedPlace
    due_at_s: float
    name: str

    @property
    def text(self) -> str:
        """The place as an operator hands it over from page to page."""
        actor = self.actor
        name = quote(self.name, safe="", errors="surrogatepass")
        return f"{actor.due_at_s!r}/{self.due_at_s!r}/{name}/{address_of(actor.kind, actor.key)}"


@dataclass(frozen=True, slots=True)
class TimerPage:
    """Some of the timers that fit, and where the others begin."""

    entries: tuple[tuple[TimerEntry, TimerPlace], ...]
    more: bool

    @property
    def next(self) -> TimerPlace | None:
        return self.entries[-1][1] if self.more else None


@dataclass(frozen=True, slots=True)
class TimersWanted:
    """Which timers are listed. What is left out asks for nothing."""

    kind: str = ""
    key: str = ""  # how the key of its actor begins
    before_s: float = math.inf  # it is due at this instant, or before

    def __post_init__(self) -> None:
        if math.isnan(self.before_s):
            raise InvalidMessage("the instant before which timers are due is no number")


def timer_place_of(text: str) -> TimerPlace:
    """What `TimerPlace.text` has made of a place. Raises InvalidMessage for any other text."""
    try:
        actor_s, timer_s, name, address = text.split("/", 3)
        kind, key = parse_address(address)
        place = TimerPlace(TimedPlace(float(actor_s), kind, key), float(timer_s), unquote(name, errors="surrogatepass"))
    except (ValueError, InvalidMessage):
        place = None
    if place is None or not math.isfinite(place.actor.due_at_s + place.due_at_s):
        raise InvalidMessage(f"{text!r} is no place in a listing of timers: copy it from the end of the page before")
    return place


async def timers(
    store: OperatorStore, wanted: TimersWanted, *, limit: int, after: TimerPlace | None = None
) -> TimerPage:
    """Timers that fit, of the actor whose next timer is due first, then of the others, from behind a place on.

    Raises StoreError.
    """
    kinds = (wanted.kind,) if wanted.kind else ()
    filter_ = TimedFilter(kinds=kinds, prefix=wanted.key, due_by_s=wanted.before_s)
    found = await _rest(store, wanted, after) if after is not None else []
    place = None if after is None else after.actor
    while len(found) <= limit:
        size = min(limit + 1 - len(found), _PAGE)
        rows = await store.timed(filter_, limit=size, after=place)
        for row in rows:
            place = TimedPlace.of(row)
            found += _entries(row, place, wanted)
        if len(rows) < size:
            break
    return TimerPage(tuple(found[:limit]), len(found) > limit)


def timers_of(row: ActorRow) -> tuple[TimerSummary, ...]:
    """The timers of one actor, the next due first; none where they cannot be read."""
    try:
        standing = durable_pb2.Timers.FromString(row.timers).timers
    except DecodeError:
        return ()
    purpose = _Purposes(row)
    found = (TimerSummary(one.name, purpose.of(one.name), one.due_at_s, one.type, one.attempts) for one in standing)
    return tuple(sorted(found, key=lambda timer: (timer.due_at_s, timer.name)))


async def _rest(store: OperatorStore, wanted: TimersWanted, after: TimerPlace) -> list[tuple[TimerEntry, TimerPlace]]:
    """Timers of the actor at which the page before ended, behind its last one."""
    (row,) = await store.load([(after.actor.kind, after.actor.key)])
    if row is None:
        return []
    last = (after.due_at_s, after.name)
    return [one for one in _entries(row, after.actor, wanted) if (one[0].due_at_s, one[0].name) > last]


def _entries(row: ActorRow, place: TimedPlace, wanted: TimersWanted) -> Iterator[tuple[TimerEntry, TimerPlace]]:
    for one in timers_of(row):
        if one.due_at_s <= wanted.before_s:
            entry = TimerEntry(row.kind, row.key, one.name, one.purpose, one.due_at_s, one.type, one.attempts)
            yield entry, TimerPlace(place, one.due_at_s, one.name)


class _Purposes:
    """What the timers of one actor are for."""

    def __init__(self, row: ActorRow) -> None:
        self._otherwise = _OF_RUNTIME.get(row.state_type, _OF_SERVICE)
        self._record: SagaRecord | None = None
        self._known: dict[str, str] = {}
        if row.state_type == _SAGA:
            try:
                self._record, self._otherwise = SagaRecord.FromString(row.state), _NOT_NEEDED
                self._known = {name: str(purpose) for name, purpose in purposes_of(self._record)}
            except DecodeError:
                self._otherwise = _UNREADABLE

    def of(self, name: str) -> str:
        found = self._known.get(name)
        if found is None and self._record is not None:
            found = purpose_of(self._record, name)
        return str(found or self._otherwise)
