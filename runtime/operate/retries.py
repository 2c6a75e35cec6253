"""An operator's "try again" for a saga that is stuck: posted to its mailbox, so that the saga itself acts on it."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from runtime.envelope import Address, Envelope, address_of, message_id
from runtime.operate.dead_letters import Act, NotFound, NotParked, carry_out
from runtime.protos.saga_pb2 import RetrySaga, SagaRecord
from runtime.saga.view import status_name
from runtime.store.port import Store
from runtime.store.records import MailRow, Transition

__all__ = ["try_again"]


async def try_again(store: Store, saga: Address, act: Act) -> None:
    """Post the message. Raises NotFound, NotParked when the saga is not stuck, or StoreError."""
    where = address_of(*saga)
    (row,) = await store.load([saga])
    if row is None or row.state_type != SagaRecord.DESCRIPTOR.full_name:
        raise NotFound(f"there is no saga {where}; list them with `sagas`")
    try:
        record = SagaRecord.FromString(row.state)
    except DecodeError as error:
        raise NotFound(f"the record of {where} cannot be read: {error}") from error
    if record.status != SagaRecord.STUCK:
        raise NotParked(f"{where} is {status_name(record)}, not stuck: there is nothing to try again")
    command = RetrySaga(reason=act.reason, who=act.who)
    envelope = Envelope(
        id=message_id(act.at_s, record.conversation, row.revision, f"retry of {where}"),
        kind=row.kind,
        key=row.key,
        type=command.DESCRIPTOR.full_name,
        body=command.SerializeToString(),
        conversation=record.conversation,
        sender=f"operator/{act.who}",
        sent_at_s=act.at_s,
        process=row.kind,
    )
    mail = MailRow(
        kind=row.kind,
        key=row.key,
        shard=row.shard,
        id=envelope.id,
        conversation=envelope.conversation,
        sent_at_s=envelope.sent_at_s,
        sequence=0,
        due_at_s=0.0,
        attempts=0,
        parked="",
        parked_at_s=0.0,
        envelope=envelope.encoded,
    )
    await carry_out(store, Transition(mail=(mail,)))
