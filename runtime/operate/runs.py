"""Runs of operators, over many sagas or over many dead letters, in one shape: how far each is, by whom and why.

rows of the kinds "repair-run" and "letter-run" ──▶ RunView ──▶ the operator's page
cancel ──▶ the row says so, and nobody carries the run on
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from runtime.envelope import message_id
from runtime.errors import InvalidMessage
from runtime.operate import letter_runs, repair_runs
from runtime.operate.dead_letters import NotFound
from runtime.operate.run_cancelled import RunEnded, RunMoved
from runtime.protos.saga_pb2 import LetterRun, RepairRun, RunCancelled
from runtime.saga.reasons import unsaid
from runtime.saga.repair_checks import word
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, Expected, Transition, Verdict

__all__ = ["KINDS", "RunItem", "RunView", "cancel", "run_view", "run_views"]

KINDS = (repair_runs.KIND, letter_runs.KIND)

_READ_MAX = 2_000
_PAGE = 50
_LOOK_AT = 500
_TRIES = 10


@dataclass(frozen=True, slots=True)
class RunItem:
    what: str  # kind/key of a saga, or of whom a letter is for
    detail: str  # of a letter: its type and its id
    handled: bool
    refusal: str


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


async def run_views(store: OperatorStore, *, limit: int) -> list[RunView]:
    """The latest first, without their items; of very many runs those that are read first. Raises StoreError."""
    found: list[RunView] = []
    for kind in KINDS:
        after = ""
        while len(found) < _READ_MAX and (rows := await store.actors(kind, limit=_PAGE, after=after)):
            after = rows[-1].key
            found += [replace(_view(row), items=()) for row in rows]
    return sorted(found, key=lambda one: (-one.began_at_s, one.name))[:limit]


async def run_view(store: OperatorStore, kind: str, name: str) -> RunView:
    """With its items, and what came of those that were handled since it was written. Raises NotFound, StoreError."""
    row = await _row(store, kind, name)
    run = _parsed(row)
    left = [place for place, item in enumerate(_items(run)) if not item.handled]
    for start in range(0, len(left), _LOOK_AT):
        places = left[start : start + _LOOK_AT]
        if isinstance(run, LetterRun):
            await letter_runs.note_done(store, run, places)
        else:
            await repair_runs.note_done(store, repair_runs.KeptRun(row, run), places)
    return _viewed(row, run)


async def cancel(store: OperatorStore, kind: str, name: str, cancelled: RunCancelled) -> None:
    """End a run before all of it is done. What was posted or done before stays so.

    Raises NotFound, InvalidMessage without who and why, RunEnded of one with nothing left, RunMoved when somebody has
    carried it on at the same moment, or StoreError.
    """
    if wrong := unsaid(cancelled.who, cancelled.reason):
        raise InvalidMessage(wrong)
    for _ in range(_TRIES):
        if await _cancelled(store, await _row(store, kind, name), cancelled):
            return
    raise RunMoved(f"somebody carries the run {name!r} on, and writes down how far it is all the time: try again")


async def _cancelled(store: OperatorStore, row: ActorRow, cancelled: RunCancelled) -> bool:
    """False when somebody has written the run down in between."""
    run, name = _parsed(row), row.key
    if run.HasField("cancelled"):
        raise RunEnded(f"the run {name!r} was cancelled before, by {run.cancelled.who}: {run.cancelled.reason}")
    if all(item.handled for item in run.items):
        raise RunEnded(f"of the run {name!r} nothing is left that could be cancelled")
    run.cancelled.CopyFrom(cancelled)
    id = message_id(cancelled.at_s, row.last_id, row.revision, "cancelled")
    after = replace(row, revision=row.revision + 1, last_id=id, state=run.SerializeToString())
    (verdict,) = await store.commit([Transition(actor=after, expected=Expected(row.revision, row.last_id))])
    return verdict is Verdict.COMMITTED


async def _row(store: OperatorStore, kind: str, name: str) -> ActorRow:
    (row,) = await store.load([(kind, name)]) if kind in KINDS else (None,)
    if row is None:
        raise NotFound(f"there is no operation {kind}/{name}")
    return row


def _parsed(row: ActorRow) -> RepairRun | LetterRun:
    try:
        return LetterRun.FromString(row.state) if row.kind == letter_runs.KIND else RepairRun.FromString(row.state)
    except DecodeError as error:
        raise NotFound(f"the record of the operation {row.kind}/{row.key} cannot be read: {error}") from error


def _view(row: ActorRow) -> RunView:
    return _viewed(row, _parsed(row))


def _viewed(row: ActorRow, run: RepairRun | LetterRun) -> RunView:
    said = run if isinstance(run, LetterRun) else run.act
    cancelled = run.cancelled
    return RunView(
        kind=row.kind,
        name=row.key,
        act=_act(run),
        who=said.who,
        reason=said.reason,
        chosen_by=run.chosen_by,
        began_at_s=run.began_at_s,
        cancelled=f"{cancelled.who}: {cancelled.reason}" if run.HasField("cancelled") else "",
        total=len(run.items),
        done=sum(item.handled and not item.refusal for item in run.items),
        refused=sum(item.handled and bool(item.refusal) for item in run.items),
        items=tuple(_items(run)),
    )


def _act(run: RepairRun | LetterRun) -> str:
    if isinstance(run, LetterRun):
        forced = ", by force" if run.forced else ""
        known = run.act in LetterRun.Act.values()
        return (LetterRun.Act.Name(run.act).lower() if known else f"act {run.act}") + forced
    return f"{word(run.act.act)} {run.act.task}".rstrip()


def _items(run: RepairRun | LetterRun) -> Iterator[RunItem]:
    if isinstance(run, LetterRun):
        for letter in run.items:
            yield RunItem(letter.to, f"{letter.type} {letter.id.hex()}", letter.handled, letter.refusal)
    else:
        for saga in run.items:
            yield RunItem(saga.saga, "", saga.handled, saga.refusal)
