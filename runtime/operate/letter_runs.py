"""One act on many dead letters: chosen once, kept in the store, carried out one by one, and resumed where it stopped.

    begin ──the chosen letters, a row of the kind "letter-run"──▶ carry_on ──check, replay or discard──▶ the row

Each act is a transaction of its own, and its row of history has an id made from the run. So whoever carries the run on
finds what was done already: no letter is acted on twice, also when it was parked again meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from runtime.envelope import address_of, message_id, parse_address
from runtime.errors import AmendsError, InvalidMessage, StoreError
from runtime.operate.dead_letters import (
    Act,
    NotFound,
    act_id,
    carry_out,
    check_awaited,
    check_dispensable,
    discard,
    replay,
)
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.run_cancelled import RunMoved, check_goes_on
from runtime.protos.saga_pb2 import LetterItem, LetterRun
from runtime.saga.reasons import unsaid
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, Expected, HistoryRow, Transition, Verdict

__all__ = ["ITEMS_MAX", "KIND", "KeptLetterRun", "begin", "carry_on", "kept_run", "note_done"]

KIND = "letter-run"
"""No node hosts this kind: its rows are records of operators, and never get mail."""

ITEMS_MAX = 10_000
_NAME_CHARS_MAX = 200
_PAGE = 100
_GONE = "it is no longer parked: it was handled, replayed or discarded in the meantime"


@dataclass(frozen=True, slots=True)
class KeptLetterRun:
    """A run as the store has it."""

    row: ActorRow
    run: LetterRun

    @property
    def name(self) -> str:
        return self.row.key

    @property
    def left(self) -> int:
        return sum(not item.handled for item in self.run.items)


async def begin(
    store: OperatorStore, name: str, run: LetterRun, places: Sequence[ParkedPlace], *, now_s: float
) -> KeptLetterRun:
    """Keep the letters at these places for the act that `run` says, who does it and why.

    Raises InvalidMessage when there is a run of this name, there are none or too many letters, or the act, the name,
    who or why is not said or too long.
    """
    if wrong := unsaid(run.who, run.reason):
        raise InvalidMessage(wrong)
    if run.act not in (LetterRun.REPLAY, LetterRun.DISCARD):
        raise InvalidMessage("say what becomes of the letters: they are replayed, or discarded")
    if not name.strip() or len(name) > _NAME_CHARS_MAX:
        raise InvalidMessage(f"give it a name of up to {_NAME_CHARS_MAX} characters; this one has {len(name):,}")
    if not 0 < len(places) <= ITEMS_MAX:
        raise InvalidMessage(f"{len(places):,} letters are chosen; a run takes from 1 to {ITEMS_MAX:,}")
    kept = LetterRun()
    kept.CopyFrom(run)
    kept.began_at_s = now_s
    kept.items.extend([await _item(store, one) for one in places])
    id = message_id(now_s, name.encode(), 0, KIND)
    body = kept.SerializeToString()
    row = ActorRow(KIND, name, 0, 1, id, id, LetterRun.DESCRIPTOR.full_name, body, b"", None, now_s)
    (verdict,) = await store.commit([Transition(actor=row, expected=Expected(0, b""))])
    if verdict is not Verdict.COMMITTED:
        raise InvalidMessage(f"there is a run {name!r} already: resume it, or give this one another name")
    return KeptLetterRun(row, kept)


async def kept_run(store: OperatorStore, name: str) -> KeptLetterRun:
    """Raises NotFound, or StoreError."""
    (row,) = await store.load([(KIND, name)])
    if row is None:
        raise NotFound(f"there is no run {name!r} of dead letters")
    return KeptLetterRun(row, LetterRun.FromString(row.state))


async def carry_on(store: OperatorStore, kept: KeptLetterRun) -> KeptLetterRun:
    """Act on what is left, and write down what came of it after each hundred.

    Raises RunEnded of a run that was cancelled, RunMoved when somebody else carries it on, or StoreError.
    """
    check_goes_on(kept.name, kept.run.cancelled if kept.run.HasField("cancelled") else None)
    while places := [place for place, item in enumerate(kept.run.items) if not item.handled][:_PAGE]:
        await note_done(store, kept.run, places)
        for place in places:
            item = kept.run.items[place]
            if not item.handled:
                item.refusal, item.handled = await _act_on(store, kept.run, item), True
        kept = await _keep(store, kept)
    return kept


async def note_done(store: OperatorStore, run: LetterRun, places: Sequence[int]) -> None:
    """Note which of these were acted on, though whoever did it was ended before he wrote it down."""
    asked = [(run.items[place].conversation, _act_id(run, run.items[place])) for place in places]
    for place, row in zip(places, await store.handled(asked), strict=True):
        if row is not None and _is_of(run, row):
            run.items[place].handled, run.items[place].refusal = True, ""


async def _item(store: OperatorStore, place: ParkedPlace) -> LetterItem:
    item = LetterItem(id=place.id, to=address_of(place.kind, place.key), shard=place.shard)
    row = await store.mail_of((place.kind, place.key), place.shard, place.id)
    if row is None:
        item.handled, item.refusal = True, _GONE
        return item
    item.conversation, item.type = row.conversation, ParkedMail.of(row).type
    return item


def _as_act(run: LetterRun) -> Act:
    return Act(run.who, run.began_at_s, run.reason, run.forced)


def _act_id(run: LetterRun, item: LetterItem) -> bytes:
    """Of the row of history that the act leaves behind: a letter that is discarded is known by its own id."""
    return item.id if run.act == LetterRun.DISCARD else act_id(item.id, _as_act(run))


def _is_of(run: LetterRun, row: HistoryRow) -> bool:
    return (row.node, row.handled_at_s) == (f"operator/{run.who}", run.began_at_s)


async def _act_on(store: OperatorStore, run: LetterRun, item: LetterItem) -> str:
    """Why it was not done; empty if it was. Raises StoreError."""
    row = await store.mail_of(parse_address(item.to), item.shard, item.id)
    if row is None or not row.parked:
        return _GONE
    letter, is_discard = ParkedMail.of(row), run.act == LetterRun.DISCARD
    try:
        if not run.forced:
            await (check_dispensable if is_discard else check_awaited)(store, letter)
        await carry_out(store, (discard if is_discard else replay)(letter, _as_act(run)))
    except StoreError:
        raise
    except (AmendsError, DecodeError) as error:
        return str(error)
    return ""


async def _keep(store: OperatorStore, kept: KeptLetterRun) -> KeptLetterRun:
    row = kept.row
    id = message_id(kept.run.began_at_s, row.last_id, row.revision, KIND)
    after = replace(row, revision=row.revision + 1, last_id=id, state=kept.run.SerializeToString())
    (verdict,) = await store.commit([Transition(actor=after, expected=Expected(row.revision, row.last_id))])
    if verdict is not Verdict.COMMITTED:
        raise RunMoved(f"somebody else carries the run {kept.name!r} on, or has cancelled it: look at it again")
    return KeptLetterRun(after, kept.run)
