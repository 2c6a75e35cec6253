"""An operator's "try again" for a saga that is stuck: posted to its mailbox, so that the saga itself acts on it."""

from __future__ import annotations

import getpass

import click
from google.protobuf.message import DecodeError

from runtime.admin.arguments import as_one_object
from runtime.admin.dead_letters import Act, NotFound, NotParked, carry_out
from runtime.admin.objects import say_done
from runtime.admin.session import Session
from runtime.envelope import Address, address_of, encode, message_id, parse_address
from runtime.protos.saga_pb2 import RetrySaga, SagaRecord
from runtime.saga.instance import status_name
from runtime.store.port import Store
from runtime.store.records import MailRow, Transition

__all__ = ["retry_saga", "try_again"]


@click.command("retry-saga")
@click.argument("saga", metavar="KIND/KEY")
@click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]")
@click.option("--reason", required=True, help="Why, for the record.")
@as_one_object
@click.pass_obj
def retry_saga(session: Session, saga: str, who: str, reason: str, as_json: bool) -> None:
    """Have a stuck saga try again what it could not do, once the cause is mended.

    It makes the undo, asks the step or keeps the answer anew, with a fresh budget; refused when it is not stuck.
    """
    session.run(lambda store: try_again(store, parse_address(saga), Act(who, session.now_s(), reason)), writes=True)
    say_done(as_json, "retry", {"saga": saga}, f"{saga} tries again as soon as its node finds the message")


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
    envelope = encode(
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
