"""Whether an actor takes what is pushed to it: nothing newer, while older mail of it is known to wait in the store.

    Open ──mail is left──▶ HasBacklog ──idle, or a turn ended──▶ ReadingBacklog ──all delivered──▶ Open
      │                        │                                   ▲       └──more is left──▶ HasBacklog
      └───────put off──────────┴─────▶ Blocked ──due, or an undo───┘

A table without input, output and clock: `step` says what a state becomes by an event, and what is to be done then.
Only an actor that is Open takes pushes; all other states end in a reading of the store. What is declined during a
reading makes it `again`. What was read before a retry was planned is `outdated`, since that retry would run at once.
`undos_only` says that earlier mail was left in the store: what else is in the mailbox is dropped, and read after it.

A commit is refused when another node has written in this actor's name, and may not have pushed what it sent. Then
`reread_all` has all mail read, here and by every other node, before the actor runs again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

__all__ = [
    "OPEN",
    "BacklogWanted",
    "Blocked",
    "Delivered",
    "Due",
    "Event",
    "HasBacklog",
    "Intake",
    "Open",
    "Pushed",
    "PutOff",
    "ReadingBacklog",
    "Sign",
    "Todo",
    "TurnEnded",
    "step",
]


@dataclass(frozen=True, slots=True)
class Open:
    """All that waits is in memory."""


@dataclass(frozen=True, slots=True)
class HasBacklog:
    """Some mail of an actor in memory was left in the store."""

    undos_only: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing but undos runs before an instant, and those are read from the store: they may wait there for a retry."""

    until_s: float
    undos_only: bool = False
    reread_all: bool = False


@dataclass(frozen=True, slots=True)
class ReadingBacklog:
    """Its mail is being read. `until_s` as in Blocked; infinite where nothing is waited for."""

    until_s: float = math.inf
    undos_only: bool = False
    reread_all: bool = False
    again: bool = False
    outdated: bool = False


Intake = Open | HasBacklog | Blocked | ReadingBacklog
OPEN = Open()


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push, a sweep, or a timer has brought a message."""

    is_undo: bool
    is_idle: bool


@dataclass(frozen=True, slots=True)
class BacklogWanted:
    """The store is to be asked: the actor was dropped, or a message may have been handled by another node."""

    reread_all: bool = False


@dataclass(frozen=True, slots=True)
class PutOff:
    """A message waits for an instant, and those after it wait with it."""

    until_s: float
    in_turn: bool = False  # a turn has put it off, so what is in the mailbox was sent after it


@dataclass(frozen=True, slots=True)
class Due:
    """An instant has come that was waited for."""

    until_s: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """`is_empty` says that no mail of the actor is left in memory. A kind that is paused may not read."""

    is_empty: bool
    may_read: bool


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was read has been delivered. `left` says that some of it was declined, or that more waits than was read."""

    left: bool


class Sign(Enum):
    """Events that say no more than that they happened."""

    LEFT = auto()  # a message found no room, or a sweep could not read all: mail waits that nobody will push
    LEFT_OVER = auto()  # of what was in the mailbox, only the first part was run
    READ_BEGINS = auto()
    MAIL_READ = auto()
    READ_ENDS = auto()  # nothing more may run here, or the node stops
    LEFT_MEMORY = auto()
    CLEARED = auto()  # this node may no longer be the owner


Event = Pushed | BacklogWanted | PutOff | Due | TurnEnded | Delivered | Sign


class Todo(Enum):
    """What is to be done. A push that is answered by anything but TAKE is declined."""

    NOTHING = auto()
    TAKE = auto()
    DECLINE = auto()
    READ = auto()  # begin to read the mail, or read it once more
    REREAD_ALL = auto()  # have the mail of all other actors read first
    DELIVER = auto()  # hand over what was read
    WAIT = auto()  # send Due when the instant has come
    OVERFLOW = auto()  # nothing remembers that mail of this actor waits: its kind has to


def step(state: Intake, event: Event) -> tuple[Intake, Todo]:
    """What becomes of an actor's intake, and what is to be done."""
    match event:
        case Pushed():
            return _pushed(state, event)
        case BacklogWanted(reread_all):
            return _wanted(state, reread_all=reread_all)
        case PutOff(until_s, in_turn):
            return _put_off(state, until_s, in_turn=in_turn)
        case Due(until_s):
            return _due(state, until_s)
        case TurnEnded():
            return _turn_ended(state, event)
        case Delivered(left):
            if not isinstance(state, ReadingBacklog):
                return state, Todo.NOTHING
            return (state, Todo.READ) if state.again else (_after(state, left=left), Todo.NOTHING)
        case Sign():
            return _signed(state, event)
        case _:
            assert_never(event)


def _pushed(state: Intake, event: Pushed) -> tuple[Intake, Todo]:
    match state:
        case Open():
            return state, Todo.TAKE
        case HasBacklog():
            return _wanted(state) if event.is_idle else (state, Todo.DECLINE)
        case Blocked():
            return _wanted(state) if event.is_undo else (state, Todo.DECLINE)
        case ReadingBacklog():
            return state if state.again else replace(state, again=True), Todo.DECLINE
        case _:
            assert_never(state)


def _wanted(state: Intake, *, reread_all: bool = False) -> tuple[Intake, Todo]:
    match state:
        case Open():
            return ReadingBacklog(reread_all=reread_all), Todo.READ
        case HasBacklog(undos_only):
            return ReadingBacklog(undos_only=undos_only, reread_all=reread_all), Todo.READ
        case Blocked(until_s, undos_only, before):
            return ReadingBacklog(until_s, undos_only, reread_all or before), Todo.READ
        case ReadingBacklog():
            return replace(state, again=True, reread_all=reread_all or state.reread_all), Todo.NOTHING
        case _:
            assert_never(state)


def _put_off(state: Intake, until_s: float, *, in_turn: bool) -> tuple[Intake, Todo]:
    """The earliest instant counts: what is read then says whether there is another."""
    match state:
        case Open():
            return Blocked(until_s, undos_only=in_turn), Todo.WAIT
        case HasBacklog(undos_only):
            return Blocked(until_s, undos_only=undos_only or in_turn), Todo.WAIT
        case Blocked() | ReadingBacklog():
            act = Todo.WAIT if until_s < state.until_s else Todo.NOTHING
            until_s, undos_only = min(until_s, state.until_s), state.undos_only or in_turn
            if isinstance(state, ReadingBacklog):
                return replace(state, until_s=until_s, undos_only=undos_only, outdated=True), act
            return replace(state, until_s=until_s, undos_only=undos_only), act
        case _:
            assert_never(state)


def _due(state: Intake, until_s: float) -> tuple[Intake, Todo]:
    if isinstance(state, Open | HasBacklog) or state.until_s != until_s:
        return state, Todo.NOTHING
    return _wanted(replace(state, until_s=math.inf))


def _turn_ended(state: Intake, event: TurnEnded) -> tuple[Intake, Todo]:
    if isinstance(state, Open) or not event.is_empty:
        return state, Todo.NOTHING
    state = replace(state, undos_only=False)
    return _wanted(state) if isinstance(state, HasBacklog) and event.may_read else (state, Todo.NOTHING)


def _signed(state: Intake, sign: Sign) -> tuple[Intake, Todo]:
    match state, sign:
        case Open(), Sign.LEFT:
            return HasBacklog(), Todo.NOTHING
        case Open(), Sign.LEFT_OVER:
            return HasBacklog(undos_only=True), Todo.NOTHING
        case Open(), _:
            return state, Todo.NOTHING
        case ReadingBacklog(), Sign.LEFT:
            return replace(state, again=True), Todo.NOTHING
        case _, Sign.LEFT_OVER:
            return replace(state, undos_only=True), Todo.NOTHING
        case HasBacklog(), Sign.LEFT_MEMORY:
            return OPEN, Todo.OVERFLOW
        case _, Sign.LEFT_MEMORY:
            return replace(state, undos_only=False), Todo.NOTHING
        case ReadingBacklog(), Sign.CLEARED:
            return ReadingBacklog(again=state.again, outdated=state.outdated), Todo.NOTHING
        case _, Sign.CLEARED:
            return OPEN, Todo.NOTHING
        case ReadingBacklog(), _:
            return _read(state, sign)
        case _:
            return state, Todo.NOTHING


def _read(state: ReadingBacklog, sign: Sign) -> tuple[Intake, Todo]:
    """The steps of a reading."""
    match sign:
        case Sign.READ_BEGINS if state.reread_all:
            # The rows will say what is waited for by then.
            return ReadingBacklog(undos_only=state.undos_only), Todo.REREAD_ALL
        case Sign.READ_BEGINS:
            return replace(state, again=False, outdated=False), Todo.NOTHING
        case Sign.MAIL_READ if state.reread_all or (state.outdated and (state.again or state.until_s == math.inf)):
            return state, Todo.READ
        case Sign.MAIL_READ if state.undos_only or state.outdated:
            return (state, Todo.READ) if state.again else (_after(state), Todo.NOTHING)
        case Sign.MAIL_READ:
            return state, Todo.DELIVER
        case _:
            return _after(state), Todo.NOTHING


def _after(state: ReadingBacklog, *, left: bool = False) -> Intake:
    if state.until_s < math.inf:
        return Blocked(state.until_s, state.undos_only, state.reread_all)
    return HasBacklog(state.undos_only) if left or state.undos_only else OPEN
