"""The locks of a saga in words: which it holds, which it has lost, and who stands before it at those it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf.message import DecodeError

from runtime.envelope import parse_address
from runtime.operate.account import Account
from runtime.operate.spans import span
from runtime.protos.lock_pb2 import LockRecord
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.lock_actor import held_until_s
from runtime.store.port import OperatorStore

__all__ = ["lock_lines"]

_HELD = (TaskRecord.DONE, TaskRecord.OWED, TaskRecord.LEFT_OUT)


async def lock_lines(store: OperatorStore, account: Account, now_s: float) -> tuple[str, ...]:
    """One line a lock; none of a saga that has ended, but for those that it has lost."""
    return tuple([line async for line in _lines(store, account, now_s)])


async def _lines(store: OperatorStore, account: Account, now_s: float) -> AsyncIterator[str]:
    for task in account.saga.tasks if account.saga is not None else ():
        lock = task.lock
        if lock.lost_at_s:
            yield f"its lock on {task.address} expired, and went to {lock.went_to} {span(now_s - lock.lost_at_s)} ago"
        elif account.saga is None or account.saga.ended_at_s or not task.HasField("lock"):
            continue
        elif task.status == TaskRecord.RUNNING:
            yield await _queue(store, account.address, task, now_s)
        elif task.status in _HELD and lock.granted_at_s:
            since = span(now_s - lock.granted_at_s)
            until = _until(_held_until_s(account.saga, task.address), now_s)
            yield f"it holds {task.address}, since {since} ago{until}"


def _held_until_s(saga: SagaRecord, address: str) -> float:
    """The key goes to another once the last of the saga's holds of it is over; 0: one never is."""
    own = [one for one in saga.tasks if one.address == address and one.status in _HELD and one.lock.granted_at_s]
    times_s = [one.lock.expires_at_s for one in own if not one.lock.lost_at_s]
    return max(times_s) if times_s and all(times_s) else 0.0


async def _queue(store: OperatorStore, saga: str, task: TaskRecord, now_s: float) -> str:
    """Who holds what the task waits for, as the actor of the lock has written it."""
    (row,) = await store.load([parse_address(task.address)])
    try:
        record = LockRecord.FromString(row.state) if row is not None else LockRecord()
    except DecodeError:
        return f"it waits for {task.address}, whose record cannot be read"
    if not record.holders:
        return f"it waits for {task.address}, which has not heard of that yet"
    waits = [(one.saga, one.task) for one in record.waiters]
    before = waits.index((saga, task.path)) if (saga, task.path) in waits else len(waits)
    held = f"held by {record.holders[0].saga}, since {span(now_s - record.held_since_s)} ago"
    return f"it waits for {task.address}, {held}{_until(held_until_s(record), now_s)}; before it wait {before}"


def _until(expires_at_s: float, now_s: float) -> str:
    if not expires_at_s:
        return ""
    left_s = expires_at_s - now_s
    return f", expires in {span(left_s)}" if left_s > 0 else ", to be lost to whoever else asks"
