"""Acts on timers of actors that are no sagas: of services, and of what keeps the deadlines of conversations.

the actor's row ──timed_row──▶ the same road as every act: a message to its mailbox
                ├─foretold──▶ Preview: what the act would do as the row stands
                └─timer_commands──▶ what can be done, each as a command to copy
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from google.protobuf.message import DecodeError

from runtime.durable.timer_acts import decide
from runtime.envelope import Address, address_of
from runtime.operate.act_refused import ActRefused
from runtime.operate.choices import Choice, as_command
from runtime.operate.stored_kinds import stored_address
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.durable_pb2 import Timer, Timers
from runtime.protos.lock_pb2 import LockRecord
from runtime.protos.saga_pb2 import KeyRecord, RepairSaga, SagaRecord
from runtime.saga.overdue import cancelled_timers
from runtime.saga.preview import Preview
from runtime.saga.timer_acts import ACTS_ON_TIMERS
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow

__all__ = ["conversation_of", "foretold", "timed_row", "timer_choices", "timer_commands"]

_CHOICES_MAX = 5  # timers
_AGAIN = "--in 3600"  # an example: nobody but the operator knows for how long a deadline is set again

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
    decided = decide(act, _timers(row), row.revision, now_s, cancelled=_cancelled(row))
    timers = () if decided.due_at_s is None else ((act.timer, decided.due_at_s),)
    return Preview(row.revision, decided.refusal, decided.text, (), timers, (), "", "")


def timer_choices(row: ActorRow) -> Iterator[Choice]:
    """What can be done about the timers of an actor that is no saga, as its row stands, the next due first.

    Some of an actor with very many; the act itself takes the others as well.
    """
    if row.state_type == SagaRecord.DESCRIPTOR.full_name or row.state_type in _UNMOVED:
        return
    standing = sorted(_timers(row).values(), key=lambda timer: (timer.due_at_s, timer.name))
    for one in standing[:_CHOICES_MAX]:
        yield Choice("move-timer", "", f"timer {one.name}: it fires now", one.name)
        yield Choice("cancel-timer", "", f"timer {one.name}: it does not fire", one.name)
    for name in _cancelled(row):
        yield Choice("move-timer", "", f"timer {name}, which was cancelled: it is set again", name)


def timer_commands(row: ActorRow) -> Iterator[str]:
    """The same in lines of text, each with a command to copy."""
    address, cancelled = address_of(*row.address), _cancelled(row)
    for one in timer_choices(row):
        yield as_command(one, address, row.revision, when=_AGAIN if one.timer in cancelled else "--now")


def _cancelled(row: ActorRow) -> Sequence[str]:
    """None where the record cannot be read, as its node does not run it either."""
    try:
        is_deadline = row.state_type == DeadlineRecord.DESCRIPTOR.full_name
        return cancelled_timers(DeadlineRecord.FromString(row.state)) if is_deadline else ()
    except DecodeError:
        return ()


def _timers(row: ActorRow) -> Mapping[str, Timer]:
    """None where they cannot be read: the act is refused then, as one on a timer that there is not."""
    try:
        return {one.name: one for one in Timers.FromString(row.timers).timers}
    except DecodeError:
        return {}
