"""Acts on timers of actors that are no sagas: of services, and of what keeps the deadlines of conversations.

the actor's row ──timed_row──▶ the same road as every act: a message to its mailbox
                └─foretold──▶ Preview: what the act would do as the row stands
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.message import DecodeError

from runtime.durable.timer_acts import decide
from runtime.envelope import Address
from runtime.operate.act_refused import ActRefused
from runtime.operate.stored_kinds import stored_address
from runtime.protos.durable_pb2 import Timer, Timers
from runtime.protos.lock_pb2 import LockRecord
from runtime.protos.saga_pb2 import KeyRecord, RepairSaga, SagaRecord
from runtime.saga.preview import Preview
from runtime.saga.timer_acts import ACTS_ON_TIMERS
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow

__all__ = ["conversation_of", "foretold", "timed_row"]

_UNMOVED: Mapping[str, str] = MappingProxyType(
    {
        LockRecord.DESCRIPTOR.full_name: "the expiry of a lock is part of what its holder was promised, and what waits "
        "for the lock counts on it. Repair or cancel the saga that holds it, which `explain` names: the lock is "
        "released when that ends",
        KeyRecord.DESCRIPTOR.full_name: "so long is an event kept that came before a saga waits for it, as the saga "
        "declares (keep_for). Say the event again once the saga waits",
    }
)


async def timed_row(store: OperatorStore, address: Address, act: RepairSaga) -> ActorRow | None:
    """The row of the actor whose timer is meant, if it is no saga; None for any other act, and where there is no row.

    Raises ActRefused for timers that no act can change, or StoreError.
    """
    if act.act not in ACTS_ON_TIMERS:
        return None
    (row,) = await store.load([await stored_address(store, address)])
    if row is None or row.state_type == SagaRecord.DESCRIPTOR.full_name:
        return None
    if reason := _UNMOVED.get(row.state_type):
        raise ActRefused(address, act, reason)
    return row


def conversation_of(row: ActorRow, act: RepairSaga) -> bytes:
    """In which the act is posted: that in which its timer will fire."""
    timer = _timers(row).get(act.timer)
    return timer.conversation if timer is not None and timer.conversation else row.conversation


def foretold(row: ActorRow, act: RepairSaga, now_s: float) -> Preview:
    decided = decide(act, _timers(row), row.revision, now_s)
    timers = () if decided.due_at_s is None else ((act.timer, decided.due_at_s),)
    return Preview(row.revision, decided.refusal, decided.text, (), timers, (), "", "")


def _timers(row: ActorRow) -> Mapping[str, Timer]:
    """None where they cannot be read: the act is refused then, as one on a timer that there is not."""
    try:
        return {one.name: one for one in Timers.FromString(row.timers).timers}
    except DecodeError:
        return {}
