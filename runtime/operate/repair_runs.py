"""One act on many sagas: chosen once, kept in the store, carried out page by page, and resumed where it stopped.

    begin ──the chosen sagas, a row of the kind "repair-run"──▶ carry_on ──post, wait for what came of each──▶ the row
                                                                   ▲ resumed: after a kill, or when no node was there

The id of each message is made from the run and its place in it. So whoever carries the run on posts the same messages,
and the store refuses those that wait already or were handled: no saga is acted on twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from runtime.envelope import Address, address_of, message_id, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.dead_letters import NotFound
from runtime.operate.repairs import check_said, letter, record_of
from runtime.operate.run_cancelled import RunMoved, check_goes_on
from runtime.operate.survey import Wanted, sagas
from runtime.ports import Clock
from runtime.protos.saga_pb2 import RepairItem, RepairRun, RepairSaga, SagaRecord
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, Expected, Outcome, Transition, Verdict

__all__ = ["ITEMS_MAX", "KIND", "KeptRun", "begin", "begin_with", "carry_on", "keep", "kept_run", "note_done"]

KIND = "repair-run"
"""No node hosts this kind: its rows are records of operators, and never get mail."""

ITEMS_MAX = 10_000
NAME_CHARS_MAX = 200
_PAGE = 100
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run as the store has it."""

    row: ActorRow
    run: RepairRun

    @property
    def name(self) -> str:
        return self.row.key

    @property
    def done(self) -> int:
        return sum(item.handled and not item.refusal for item in self.run.items)

    @property
    def refused(self) -> int:
        return sum(item.handled and bool(item.refusal) for item in self.run.items)

    @property
    def left(self) -> int:
        return sum(not item.handled for item in self.run.items)


async def begin(
    store: OperatorStore, name: str, act: RepairSaga, wanted: Wanted, *, limit: int, now_s: float
) -> KeptRun:
    """Choose the sagas, once for all, and keep them.

    Raises InvalidMessage when there is a run of this name, the name or what the act says is empty or too long, or
    nothing says which sagas are meant.
    """
    _check(name, act)
    if wanted == Wanted():
        raise InvalidMessage("say which sagas: by kind, status, step, how the key begins, error, age or idle time")
    chosen_by = ", ".join(f"{name}={value}" for name, value in asdict(wanted).items() if value)
    run = RepairRun(act=act, chosen_by=chosen_by, began_at_s=now_s)
    page = await sagas(store, wanted, limit=min(limit, ITEMS_MAX))
    found = [(one.kind, one.key) for one in page.entries]
    for start in range(0, len(found), _PAGE):
        rows = await store.load(found[start : start + _PAGE])
        run.items.extend(_item(row) for row in rows if row is not None)
    return await _begun(store, name, run)


async def begin_with(
    store: OperatorStore,
    name: str,
    act: RepairSaga,
    chosen: Sequence[tuple[Address, int]],
    *,
    chosen_by: str,
    now_s: float,
) -> KeptRun:
    """Keep these sagas, each at the revision at which somebody has looked at it.

    Raises InvalidMessage as `begin`, and for no sagas or too many; NotFound for what is no saga.
    """
    _check(name, act)
    if not 0 < len(chosen) <= ITEMS_MAX:
        raise InvalidMessage(f"{len(chosen):,} sagas are chosen; a run takes from 1 to {ITEMS_MAX:,}")
    run = RepairRun(act=act, chosen_by=chosen_by, began_at_s=now_s)
    for saga, revision in chosen:
        item = _item((await record_of(store, saga))[0])
        item.revision = revision
        run.items.append(item)
    return await _begun(store, name, run)


def _check(name: str, act: RepairSaga) -> None:
    check_said(act)
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise InvalidMessage(f"give it a name of up to {NAME_CHARS_MAX} characters; this one has {len(name):,}")


async def _begun(store: OperatorStore, name: str, run: RepairRun) -> KeptRun:
    now_s = run.began_at_s
    id = message_id(now_s, name.encode(), 0, KIND)
    row = ActorRow(KIND, name, 0, 1, id, id, RepairRun.DESCRIPTOR.full_name, run.SerializeToString(), b"", None, now_s)
    (verdict,) = await store.commit([Transition(actor=row, expected=Expected(0, b""))])
    if verdict is not Verdict.COMMITTED:
        raise InvalidMessage(f"there is a run {name!r} already: resume it, or give this one another name")
    return KeptRun(row, run)


async def kept_run(store: OperatorStore, name: str) -> KeptRun:
    """Raises NotFound, or StoreError."""
    (row,) = await store.load([(KIND, name)])
    if row is None:
        raise NotFound(f"there is no run {name!r}")
    return KeptRun(row, RepairRun.FromString(row.state))


async def carry_on(
    store: OperatorStore, kept: KeptRun, clock: Clock, *, wait_s: float, until_s: float = math.inf
) -> KeptRun:
    """Post what is left, a page at a time, until each page is handled, or nothing was for `wait_s`.

    It ends at `until_s` of the monotonic clock at the latest. What came of a page is in the store before the next one
    begins. Raises RunEnded of one that was cancelled, RunMoved, or StoreError.
    """
    check_goes_on(kept.name, kept.run.cancelled if kept.run.HasField("cancelled") else None)
    while places := [place for place, item in enumerate(kept.run.items) if not item.handled][:_PAGE]:
        await _post(store, kept, places)
        before = kept.left
        kept = await _wait_for(store, kept, places, clock, wait_s, until_s)
        if kept.left == before or clock.monotonic_s() >= until_s:
            break  # Nobody runs them now, or the time is over.
    return kept


def _item(row: ActorRow) -> RepairItem:
    record = SagaRecord.FromString(row.state)
    return RepairItem(saga=address_of(row.kind, row.key), revision=record.revision, conversation=record.conversation)


async def _post(store: OperatorStore, kept: KeptRun, places: Sequence[int]) -> None:
    """What waits already, or was handled, is a duplicate for the store."""
    rows = await store.load([parse_address(kept.run.items[place].saga) for place in places])
    batch = []
    for place, row in zip(places, rows, strict=True):
        item, act = kept.run.items[place], RepairSaga()
        if row is None or SagaRecord.FromString(row.state).conversation != item.conversation:
            item.handled, item.refusal = True, "it is gone, or another instance has its key"
            continue
        act.CopyFrom(kept.run.act)
        act.expected_revision = item.revision
        saga = row, SagaRecord.FromString(row.state)
        mail = letter(saga, act, act.who, kept.run.began_at_s, KIND, _id(kept, place))
        batch.append(Transition(mail=(mail,), check_duplicates=True))
    if batch:
        await store.commit(batch)


def _id(kept: KeptRun, place: int) -> bytes:
    item = kept.run.items[place]
    return message_id(kept.run.began_at_s, item.conversation, place, f"{KIND} {kept.name}")


async def _wait_for(
    store: OperatorStore, kept: KeptRun, places: Sequence[int], clock: Clock, wait_s: float, end_s: float
) -> KeptRun:
    """Wait until the page is handled, or nothing of it was for so long; then the store has what came of it."""
    until_s = min(clock.monotonic_s() + wait_s, end_s)
    while open_ := [place for place in places if not kept.run.items[place].handled]:
        if await note_done(store, kept, open_):
            until_s = min(clock.monotonic_s() + wait_s, end_s)
        elif clock.monotonic_s() >= until_s:
            break
        else:
            await clock.sleep(_LOOK_S)
    return await keep(store, kept)


async def note_done(store: OperatorStore, kept: KeptRun, places: Sequence[int]) -> bool:
    """Note which of these were handled, and how; whether any was."""
    found = await store.handled([(kept.run.items[place].conversation, _id(kept, place)) for place in places])
    for place, row in zip(places, found, strict=True):
        if row is not None:
            done = row.outcome is Outcome.HANDLED
            kept.run.items[place].handled = True
            kept.run.items[place].refusal = "" if done else row.error or row.outcome.value
    return any(row is not None for row in found)


async def keep(store: OperatorStore, kept: KeptRun) -> KeptRun:
    row = kept.row
    id = message_id(kept.run.began_at_s, row.last_id, row.revision, KIND)
    after = replace(row, revision=row.revision + 1, last_id=id, state=kept.run.SerializeToString())
    (verdict,) = await store.commit([Transition(actor=after, expected=Expected(row.revision, row.last_id))])
    if verdict is not Verdict.COMMITTED:
        raise RunMoved(f"somebody else carries the run {kept.name!r} on: nothing is done twice; look at it again")
    return KeptRun(after, kept.run)
