"""An operator's act on one saga: posted to its mailbox, so that the saga itself acts on it, and what became of it.

post ──a row of mail──▶ the saga's next turn ──▶ a row of history ──result_of──▶ done, or refused and why
look_ahead ──▶ what the act would do now, by the interpreter of this build; nothing is written
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.envelope import Address, Envelope, address_of, message_id
from runtime.errors import InvalidMessage
from runtime.operate.dead_letters import carry_out
from runtime.operate.present_bounds import present_bounds
from runtime.operate.saga_record import Saga, record_of
from runtime.operate.timer_acts import conversation_of, foretold, timed_row
from runtime.ports import Clock
from runtime.protos.saga_pb2 import RepairSaga
from runtime.saga.definition import Definition
from runtime.saga.preview import Preview, preview
from runtime.saga.reasons import unsaid
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, MailRow, Outcome, Transition

__all__ = [
    "Posted",
    "Result",
    "check_named",
    "check_said",
    "letter",
    "look_ahead",
    "post",
    "post_and_wait",
    "result_of",
    "wait_for",
]

_NAME_CHARS_MAX = 4_000  # of a path, which may have a key in it
_LOOK_S = 0.1  # between two looks at whether the saga has handled the act


@dataclass(frozen=True, slots=True)
class Posted:
    """An act that lies in the mail of its saga, or has been handled."""

    saga: Address
    conversation: bytes
    id: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an act."""

    refusal: str  # empty if it was done
    text: str  # what was done


def letter(saga: Saga, command: Message, who: str, at_s: float, what: str, id: bytes = b"") -> MailRow:
    """A message of an operator to a saga. `what` is part of its id: the same at the same instant is posted once."""
    row, record = saga
    return _letter(row, record.conversation, row.kind, command, who, at_s, what, id)


def _letter(
    row: ActorRow, conversation: bytes, process: str, command: Message, who: str, at_s: float, what: str, id: bytes
) -> MailRow:
    envelope = Envelope(
        id=id or message_id(at_s, conversation, row.revision, what),
        kind=row.kind,
        key=row.key,
        type=command.DESCRIPTOR.full_name,
        body=command.SerializeToString(),
        conversation=conversation,
        sender=f"operator/{who}",
        sent_at_s=at_s,
        process=process,
    )
    return MailRow(
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


async def post(store: OperatorStore, saga: Address, act: RepairSaga, at_s: float) -> Posted:
    """Post the act. The saga, or who else has the timer, decides whether it is done.

    Raises NotFound, InvalidMessage, ActRefused for a timer that no act can change, or StoreError.
    """
    check_said(act)
    what = f"{RepairSaga.Act.Name(act.act)} {act.task}{act.timer} of {address_of(*saga)}"
    row = await timed_row(store, saga, act)
    if row is None:
        mail = letter(await record_of(store, saga), act, act.who, at_s, what)
    else:
        mail = _letter(row, conversation_of(row, act), "", act, act.who, at_s, what, b"")
    await carry_out(store, Transition(mail=(mail,)))
    return Posted(saga, mail.conversation, mail.id)


async def result_of(store: OperatorStore, posted: Posted) -> Result | None:
    """None while the saga has not handled it. Raises NotFound, or StoreError."""
    (handled,) = await store.handled([(posted.conversation, posted.id)])
    if handled is None:
        return None
    if handled.outcome is not Outcome.HANDLED:
        return Result(handled.error or handled.outcome.name.lower(), "")
    if handled.error:
        return Result("", handled.error)  # of a timer of no saga: its history says what was done
    _, record = await record_of(store, posted.saga)
    return Result("", record.repairs[-1].text if record.repairs else "")


async def post_and_wait(
    store: OperatorStore, saga: Address, act: RepairSaga, clock: Clock, wait_s: float
) -> Result | None:
    """Post the act, and wait for what comes of it. None if nobody has handled it in time. Raises as `post`."""
    return await wait_for(store, await post(store, saga, act, clock.now_s()), clock, wait_s)


async def wait_for(store: OperatorStore, posted: Posted, clock: Clock, wait_s: float) -> Result | None:
    """What comes of an act that was posted; None if nobody has handled it in time. Raises as `result_of`."""
    until_s = clock.monotonic_s() + wait_s
    while True:
        result = await result_of(store, posted)
        if result is not None or clock.monotonic_s() >= until_s:
            return result
        await clock.sleep(_LOOK_S)


def check_said(act: RepairSaga) -> None:
    """What every act has to say. Raises InvalidMessage, which names the cure."""
    check_named(act)
    if wrong := unsaid(act.who, act.reason):
        raise InvalidMessage(wrong)
    for what, said in (("task", act.task), ("timer", act.timer), ("digest", act.digest)):
        if len(said) > _NAME_CHARS_MAX:
            raise InvalidMessage(f"{what} has {len(said):,} characters, and no name has more than {_NAME_CHARS_MAX:,}")


def check_named(act: RepairSaga) -> None:
    """Raises InvalidMessage unless it names an act that this build knows."""
    if act.act not in RepairSaga.Act.values() or act.act == RepairSaga.NONE:
        words = ", ".join(name for name, number in RepairSaga.Act.items() if number != RepairSaga.NONE)
        raise InvalidMessage(f"no act is named, or one that this build does not know; there are {words}")


async def look_ahead(
    store: OperatorStore, saga: Address, act: RepairSaga, definitions: Iterable[Definition], now_s: float
) -> Preview:
    """What the act would do.

    Raises NotFound, InvalidMessage when it names no act or this build lacks the version of the saga, or StoreError.
    """
    check_named(act)
    if (timed := await timed_row(store, saga, act)) is not None:
        return foretold(timed, act, now_s)
    row, record = await record_of(store, saga)
    for definition in definitions:
        if definition.name == row.kind and definition.fingerprint == record.fingerprint:
            return preview(definition, record, act, now_s, await present_bounds(store))
    raise InvalidMessage(
        f"{address_of(*saga)} was begun by version {record.fingerprint.hex()} of {row.kind}, which this build lacks; "
        "preview it with the build that has it"
    )
