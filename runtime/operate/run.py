"""A run of an operator, over many sagas or over many dead letters, as the store keeps it.

put_run ──a row of the kind "repair-run" or "letter-run"──▶ keep: how far it is, each time at one revision more

No node hosts these kinds: their rows are records of operators, and never get mail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from runtime.envelope import message_id
from runtime.errors import AmendsError, InvalidMessage
from runtime.operate.dead_letters import NotFound
from runtime.protos.saga_pb2 import LetterRun, RepairRun
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, Expected, Transition, Verdict

__all__ = [
    "COUNTED_FROM",
    "ITEMS_MAX",
    "KEPT_S",
    "KINDS",
    "LETTER_RUN",
    "REPAIR_RUN",
    "KeptRun",
    "RunEnded",
    "RunMoved",
    "RunRecord",
    "check_items",
    "check_name",
    "keep",
    "put_run",
    "run_name",
    "run_of",
]

KINDS = REPAIR_RUN, LETTER_RUN = "repair-run", "letter-run"
ITEMS_MAX = 10_000
COUNTED_FROM = 20
"""An act on more items than that takes their number, said by whoever has looked at them."""

KEPT_S = 30 * 86_400.0
"""Runs that have ended are forgotten so long after they began: later than the history of their acts by default."""

_NAME_CHARS_MAX = 200
_FORGET_MAX = 2_000  # runs that are looked at for those to forget
_PAGE = 50

RunRecord = RepairRun | LetterRun


class RunMoved(AmendsError):
    """Somebody else carries this run on, or has cancelled it."""


class RunEnded(AmendsError):
    """A run was cancelled, or nothing of it is left: it is not carried on."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run as the store has it; whoever carries it on writes into its record what came of each item."""

    row: ActorRow
    record: RunRecord

    @property
    def kind(self) -> str:
        return self.row.kind

    @property
    def name(self) -> str:
        return self.row.key

    @property
    def open(self) -> list[int]:
        """The places of the items of which nobody has written down what came."""
        return [place for place in range(len(self.record.items)) if not self.record.items[place].handled]

    @property
    def left(self) -> int:
        return len(self.open)


def run_name(act: str, at_s: float, id: bytes) -> str:
    """A name that no other run has: act, instant and some digits of a new id."""
    at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{act} {at} {id[:4].hex()}"


def check_name(name: str) -> None:
    """Raises InvalidMessage."""
    if not name.strip() or len(name) > _NAME_CHARS_MAX:
        raise InvalidMessage(f"give it a name of up to {_NAME_CHARS_MAX} characters; this one has {len(name):,}")


def check_items(count: int, what: str) -> None:
    """Raises InvalidMessage for none, or too many."""
    if not 0 < count <= ITEMS_MAX:
        raise InvalidMessage(f"{count:,} {what} are chosen; a run takes from 1 to {ITEMS_MAX:,}")


def run_of(row: ActorRow) -> KeptRun:
    """Raises NotFound for a record that cannot be read."""
    try:
        return KeptRun(row, (LetterRun if row.kind == LETTER_RUN else RepairRun).FromString(row.state))
    except DecodeError as error:
        raise NotFound(f"the record of the run {row.kind}/{row.key} cannot be read: {error}") from error


async def put_run(store: OperatorStore, kind: str, name: str, record: RunRecord) -> KeptRun:
    """Keep a run that begins, and forget old ones of its kind that have ended.

    Raises InvalidMessage when there is one of this name, or StoreError.
    """
    now_s = record.began_at_s
    await _forget(store, kind, now_s - KEPT_S)
    id = message_id(now_s, name.encode(), 0, kind)
    type_ = record.DESCRIPTOR.full_name
    row = ActorRow(kind, name, 0, 1, id, id, type_, record.SerializeToString(), b"", None, now_s)
    (verdict,) = await store.commit([Transition(actor=row, expected=Expected(0, b""))])
    if verdict is not Verdict.COMMITTED:
        raise InvalidMessage(f"there is a run {name!r} already: resume it, or give this one another name")
    return KeptRun(row, record)


async def _forget(store: OperatorStore, kind: str, before_s: float) -> None:
    after, looked_at = "", 0
    while looked_at < _FORGET_MAX and (rows := await store.actors(kind, limit=_PAGE, after=after)):
        after, looked_at = rows[-1].key, looked_at + len(rows)
        for row in rows:
            if row.updated_at_s < before_s and _has_ended(row):
                await store.forget_record(row)


def _has_ended(row: ActorRow) -> bool:
    try:
        run = run_of(row)
    except NotFound:
        return False  # a newer version may be able to read it
    return not run.left or run.record.HasField("cancelled")


async def keep(store: OperatorStore, run: KeptRun) -> KeptRun:
    """Write down how far it is. Raises RunMoved when somebody else has done so since it was read, or StoreError."""
    row = run.row
    id = message_id(run.record.began_at_s, row.last_id, row.revision, row.kind)
    after = replace(row, revision=row.revision + 1, last_id=id, state=run.record.SerializeToString())
    (verdict,) = await store.commit([Transition(actor=after, expected=Expected(row.revision, row.last_id))])
    if verdict is not Verdict.COMMITTED:
        raise RunMoved(
            f"somebody else carries the run {run.name!r} on, or has cancelled it: nothing is done twice; "
            "look at it again"
        )
    return KeptRun(after, run.record)
