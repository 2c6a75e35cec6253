"""One act on many sagas, as a run: which they are, a message to each, and what each has answered.

The id of each message is made from the run and its place in it. So whoever carries the run on posts the same messages,
and the store refuses those that wait already or were handled: no saga is acted on twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from runtime.envelope import Address, address_of, message_id, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.repairs import check_said, letter
from runtime.operate.run import ITEMS_MAX, REPAIR_RUN, KeptRun, check_items, check_name, put_run
from runtime.operate.saga_record import record_of
from runtime.operate.survey import Wanted, sagas
from runtime.protos.saga_pb2 import RepairItem, RepairRun, RepairSaga, SagaRecord
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, Outcome, Transition

__all__ = ["KIND", "begin", "begin_with", "note_done", "post"]

KIND = REPAIR_RUN

_PAGE = 100


async def begin(
    store: OperatorStore,
    name: str,
    act: RepairSaga,
    wanted: Wanted,
    *,
    limit: int,
    now_s: float,
    confirm: Callable[[int], None] = lambda _chosen: None,
) -> KeptRun:
    """Choose the sagas, once for all, and keep them. `confirm` is told how many they are, and raises to keep none.

    Raises InvalidMessage when there is a run of this name, the name or what the act says is empty or too long, or
    nothing says which sagas are meant.
    """
    _check(name, act)
    if wanted == Wanted():
        raise InvalidMessage("say which sagas: by kind, status, step, key, error, age, idle time, or what they owe")
    chosen_by = ", ".join(f"{name}={value}" for name, value in asdict(wanted).items() if value)
    run = RepairRun(act=act, chosen_by=chosen_by, began_at_s=now_s)
    page = await sagas(store, wanted, limit=min(limit, ITEMS_MAX))
    found = [(one.kind, one.key) for one in page.entries]
    for start in range(0, len(found), _PAGE):
        rows = await store.load(found[start : start + _PAGE])
        run.items.extend(_item(row) for row in rows if row is not None)
    confirm(len(run.items))
    return await put_run(store, KIND, name, run)


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
    check_items(len(chosen), "sagas")
    run = RepairRun(act=act, chosen_by=chosen_by, began_at_s=now_s)
    for saga, revision in chosen:
        item = _item((await record_of(store, saga))[0])
        item.revision = revision
        run.items.append(item)
    return await put_run(store, KIND, name, run)


async def post(store: OperatorStore, name: str, run: RepairRun, places: Sequence[int]) -> None:
    """What waits already, or was handled, is a duplicate for the store. Raises StoreError."""
    rows = await store.load([parse_address(run.items[place].saga) for place in places])
    batch = []
    for place, row in zip(places, rows, strict=True):
        item, act = run.items[place], RepairSaga()
        if row is None or SagaRecord.FromString(row.state).conversation != item.conversation:
            item.handled, item.refusal = True, "it is gone, or another instance has its key"
            continue
        act.CopyFrom(run.act)
        act.expected_revision = item.revision
        saga = row, SagaRecord.FromString(row.state)
        mail = letter(saga, act, act.who, run.began_at_s, KIND, _id(name, run, place))
        batch.append(Transition(mail=(mail,), check_duplicates=True))
    if batch:
        await store.commit(batch)


async def note_done(store: OperatorStore, name: str, run: RepairRun, places: Sequence[int]) -> bool:
    """Note which of these were handled, and how; whether any was."""
    found = await store.handled([(run.items[place].conversation, _id(name, run, place)) for place in places])
    for place, row in zip(places, found, strict=True):
        if row is not None:
            done = row.outcome is Outcome.HANDLED
            run.items[place].handled = True
            run.items[place].refusal = "" if done else row.error or row.outcome.value
    return any(row is not None for row in found)


def _check(name: str, act: RepairSaga) -> None:
    check_said(act)
    check_name(name)


def _item(row: ActorRow) -> RepairItem:
    record = SagaRecord.FromString(row.state)
    return RepairItem(saga=address_of(row.kind, row.key), revision=record.revision, conversation=record.conversation)


def _id(name: str, run: RepairRun, place: int) -> bytes:
    return message_id(run.began_at_s, run.items[place].conversation, place, f"{KIND} {name}")
