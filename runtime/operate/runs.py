"""Runs of operators, over many sagas or over many dead letters: carried on item by item, cancelled, and looked at.

    begin, of repair_runs.py or letter_runs.py ──▶ carry_on ──▶ a page of items: act, wait, keep what came of each
                                                      ▲ resumed: after a kill, or when no node was there
    cancel ──▶ the row says so, and nobody carries the run on
    RunView ──▶ the operator's page, the command line, AdminService

What is done with an item, and how it is known to be done, differs between the two kinds; all else is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runtime.errors import InvalidMessage
from runtime.operate import letter_runs, repair_runs
from runtime.operate.busy import refusals_of
from runtime.operate.dead_letters import NotFound
from runtime.operate.run import KINDS, KeptRun, RunEnded, RunMoved, RunRecord, keep, run_of
from runtime.ports import Clock
from runtime.protos.saga_pb2 import LetterRun, RunCancelled
from runtime.saga.reasons import unsaid
from runtime.saga.repair_checks import word
from runtime.store.port import OperatorStore

__all__ = [
    "ITEMS_PER_S_MAX",
    "KINDS",
    "RunItem",
    "RunView",
    "cancel",
    "carry_on",
    "kept_run",
    "run_named",
    "run_view",
    "run_views",
    "view_of",
]

ITEMS_PER_S_MAX = 100
"""Of one run. A node handles thousands of messages a second, so that a run takes a small part of it.

Replayed letters wait in the store until a sweep finds them. At this pace a few hundred wait at once, far below the
default of `backlog_max`, at which nodes refuse what clients send. Of repairs at most a page waits at once anyhow.
"""

_READ_MAX = 2_000
_PAGE = 100
_VIEWS_PAGE = 50
_LOOK_AT = 500
_LOOK_S = 0.1
_HELD_S = 1.0
_TRIES = 10


@dataclass(frozen=True, slots=True)
class RunItem:
    what: str  # kind/key of a saga, or of whom a letter is for
    handled: bool
    refusal: str
    letter: str = ""  # its id, in hex; empty of a saga
    type: str = ""  # of the letter


@dataclass(frozen=True, slots=True)
class RunView:
    """Instants are seconds since 1970."""

    kind: str  # one of KINDS
    name: str
    act: str  # and of a repair on which task
    who: str
    reason: str
    chosen_by: str
    began_at_s: float
    cancelled: str  # by whom and why; empty of a run that was not
    total: int
    done: int
    refused: int
    items: tuple[RunItem, ...] = ()  # of one that was asked for by name

    @property
    def left(self) -> int:
        return self.total - self.done - self.refused


async def kept_run(store: OperatorStore, kind: str, name: str) -> KeptRun:
    """Raises NotFound, or StoreError."""
    (row,) = await store.load([(kind, name)]) if kind in KINDS else (None,)
    if row is None:
        raise NotFound(f"there is no run {name!r}")
    return run_of(row)


async def run_named(store: OperatorStore, name: str, kind: str = "") -> KeptRun:
    """The run of this name, of whichever kind. Raises NotFound, InvalidMessage if there are two, or StoreError."""
    found = [row for row in await store.load([(one, name) for one in KINDS]) if row is not None]
    if len(found) > 1 and not kind:
        raise InvalidMessage(f"there are two runs {name!r}: say which kind is meant, {' or '.join(KINDS)}")
    return await kept_run(store, kind or (found[0].kind if found else KINDS[0]), name)


async def carry_on(
    store: OperatorStore, run: KeptRun, clock: Clock, *, wait_s: float, until_s: float = math.inf
) -> KeptRun:
    """Act on what is left, a page at a time, until each page is handled, or nothing was for `wait_s`.

    No letter is replayed while a live node refuses new commands, since more waits there than its limit. It ends at
    `until_s` of the monotonic clock at the latest. What came of a page is in the store before the next one begins.
    Raises RunEnded of one that was cancelled, RunMoved when somebody else carries it on, or StoreError.
    """
    if run.record.HasField("cancelled"):
        cancelled = run.record.cancelled
        raise RunEnded(f"the run {run.name!r} was cancelled by {cancelled.who}, because: {cancelled.reason}")
    while (places := run.open[:_PAGE]) and await _has_room(store, run, clock, until_s):
        began_s = clock.monotonic_s()
        await _note_done(store, run, places)
        await _act_on(store, run, _open(run, places))
        await _wait_for(store, run, places, clock, wait_s, until_s)
        run = await keep(store, run)
        if _open(run, places) == places or clock.monotonic_s() >= until_s:
            break  # Nobody runs them now, or the time is over.
        if run.left:
            next_s = min(began_s + len(places) / ITEMS_PER_S_MAX, until_s)
            await clock.sleep(max(0.0, next_s - clock.monotonic_s()))
    return run


async def cancel(store: OperatorStore, kind: str, name: str, cancelled: RunCancelled) -> None:
    """End a run before all of it is done. What was posted or done before stays so.

    Raises NotFound, InvalidMessage without who and why, RunEnded of one with nothing left, RunMoved when somebody has
    carried it on at the same moment, or StoreError.
    """
    if wrong := unsaid(cancelled.who, cancelled.reason):
        raise InvalidMessage(wrong)
    for _ in range(_TRIES):
        run = await kept_run(store, kind, name)
        if run.record.HasField("cancelled"):
            before = run.record.cancelled
            raise RunEnded(f"the run {name!r} was cancelled before, by {before.who}: {before.reason}")
        if not run.left:
            raise RunEnded(f"of the run {name!r} nothing is left that could be cancelled")
        run.record.cancelled.CopyFrom(cancelled)
        try:
            await keep(store, run)
        except RunMoved:
            continue  # somebody has written it down in between
        return
    raise RunMoved(f"somebody carries the run {name!r} on, and writes down how far it is all the time: try again")


async def run_views(store: OperatorStore, *, limit: int) -> list[RunView]:
    """The latest first, without their items; of very many runs those that are read first. Raises StoreError."""
    found: list[RunView] = []
    for kind in KINDS:
        after = ""
        while len(found) < _READ_MAX and (rows := await store.actors(kind, limit=_VIEWS_PAGE, after=after)):
            after = rows[-1].key
            found += [replace(view_of(run_of(row)), items=()) for row in rows]
    return sorted(found, key=lambda one: (-one.began_at_s, one.name, one.kind))[:limit]


async def run_view(store: OperatorStore, kind: str, name: str) -> RunView:
    """With its items, and what came of those that were handled since it was written. Raises NotFound, StoreError."""
    run = await kept_run(store, kind, name)
    places = run.open
    for start in range(0, len(places), _LOOK_AT):
        await _note_done(store, run, places[start : start + _LOOK_AT])
    return view_of(run)


def view_of(run: KeptRun) -> RunView:
    record = run.record
    said = record if isinstance(record, LetterRun) else record.act
    cancelled = record.cancelled
    return RunView(
        kind=run.kind,
        name=run.name,
        act=_act(record),
        who=said.who,
        reason=said.reason,
        chosen_by=record.chosen_by,
        began_at_s=record.began_at_s,
        cancelled=f"{cancelled.who}: {cancelled.reason}" if record.HasField("cancelled") else "",
        total=len(record.items),
        done=sum(item.handled and not item.refusal for item in record.items),
        refused=sum(item.handled and bool(item.refusal) for item in record.items),
        items=tuple(_items(record)),
    )


async def _has_room(store: OperatorStore, run: KeptRun, clock: Clock, until_s: float) -> bool:
    """Wait until the nodes have room for what the run sends them. False when the time is over before."""
    is_replay = isinstance(run.record, LetterRun) and run.record.act == LetterRun.REPLAY
    while is_replay and any(refusals_of(await store.cluster(), await store.busy())):
        if clock.monotonic_s() >= until_s:
            return False
        await clock.sleep(_HELD_S)
    return True


async def _note_done(store: OperatorStore, run: KeptRun, places: Sequence[int]) -> bool:
    if isinstance(run.record, LetterRun):
        return await letter_runs.note_done(store, run.record, places)
    return await repair_runs.note_done(store, run.name, run.record, places)


async def _act_on(store: OperatorStore, run: KeptRun, places: Sequence[int]) -> None:
    if isinstance(run.record, LetterRun):
        await letter_runs.act_on(store, run.record, places)
    else:
        await repair_runs.post(store, run.name, run.record, places)


def _open(run: KeptRun, places: Sequence[int]) -> list[int]:
    return [place for place in places if not run.record.items[place].handled]


async def _wait_for(
    store: OperatorStore, run: KeptRun, places: Sequence[int], clock: Clock, wait_s: float, end_s: float
) -> None:
    """Wait until these are handled, or nothing of them was for so long."""
    until_s = min(clock.monotonic_s() + wait_s, end_s)
    while open_ := _open(run, places):
        if await _note_done(store, run, open_):
            until_s = min(clock.monotonic_s() + wait_s, end_s)
        elif clock.monotonic_s() >= until_s:
            break
        else:
            await clock.sleep(_LOOK_S)


def _act(run: RunRecord) -> str:
    if isinstance(run, LetterRun):
        forced = ", by force" if run.forced else ""
        known = run.act in LetterRun.Act.values()
        return (LetterRun.Act.Name(run.act).lower() if known else f"act {run.act}") + forced
    return f"{word(run.act.act)} {run.act.task}".rstrip()


def _items(run: RunRecord) -> Iterator[RunItem]:
    if isinstance(run, LetterRun):
        for letter in run.items:
            yield RunItem(letter.to, letter.handled, letter.refusal, letter.id.hex(), letter.type)
    else:
        for saga in run.items:
            yield RunItem(saga.saga, saga.handled, saga.refusal)
