"""An operator's "try again" for a saga that is stuck: posted to its mailbox, so that the saga itself acts on it."""

from __future__ import annotations

from runtime.envelope import Address, address_of
from runtime.operate.dead_letters import Act, NotParked, carry_out
from runtime.operate.repairs import letter
from runtime.operate.saga_record import record_of
from runtime.protos.saga_pb2 import RetrySaga, SagaRecord
from runtime.saga.view import status_name
from runtime.store.port import OperatorStore
from runtime.store.records import Transition

__all__ = ["try_again"]


async def try_again(store: OperatorStore, saga: Address, act: Act) -> None:
    """Post the message. Raises NotFound, NotParked when the saga is not stuck, or StoreError."""
    where = address_of(*saga)
    found = await record_of(store, saga)
    record = found[1]
    if record.status != SagaRecord.STUCK:
        raise NotParked(f"{where} is {status_name(record)}, not stuck: there is nothing to try again")
    command = RetrySaga(reason=act.reason, who=act.who)
    await carry_out(store, Transition(mail=(letter(found, command, act.who, act.at_s, f"retry of {where}"),)))
