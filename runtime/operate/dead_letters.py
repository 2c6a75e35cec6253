"""Dead letters: list them, run one again, or give it up. Each act is one transition, and is kept in the history.

    replay    the row of mail is due at once and no longer parked; its actor finds it on the next sweep
              only while the saga that sent it waits for it, unless it is forced: see check_awaited
    discard   the row of mail is removed; its id stays in the history, so that no copy is ever applied
              not while a process can begin, or go on, by nothing else, unless it is forced: see check_dispensable

Who did it, when and why is kept in a row of history, so that the conversation shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from runtime.envelope import address_of, message_id, parse_address
from runtime.errors import AmendsError, CommitUnknown, InvalidMessage, StoreUnavailable
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.processes import lost_with
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.reasons import too_long
from runtime.saga.view import OPEN, OWING, ids_of, phase_of, task_name
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, HistoryRow, MailRow, Outcome, Transition, Verdict

__all__ = [
    "Act",
    "NotAwaited",
    "NotFound",
    "NotParked",
    "StillNeeded",
    "act_id",
    "carry_out",
    "check_awaited",
    "check_dispensable",
    "dead_letters",
    "dead_letters_after",
    "discard",
    "find",
    "letter_place_of",
    "letter_place_text",
    "replay",
]

_PAGE = 500


class NotFound(AmendsError):
    """Nothing in the store has this key or id."""


class NotParked(AmendsError):
    """The message is no longer a dead letter: it was handled, replayed or discarded in the meantime."""


class NotAwaited(AmendsError):
    """The saga that sent the message has gone on without it, so nobody would undo what the message does now."""


class StillNeeded(AmendsError):
    """Only this message lets a process begin, or go on."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts on a dead letter, when (seconds since 1970) and why. Raises InvalidMessage for what is too long."""

    who: str
    at_s: float
    reason: str
    forced: bool = False

    def __post_init__(self) -> None:
        if wrong := too_long(self.who, self.reason):
            raise InvalidMessage(wrong)


async def dead_letters(store: OperatorStore, *, limit: int) -> list[ParkedMail]:
    """Parked mail, oldest id first. Raises StoreError."""
    return await dead_letters_after(store, None, limit=limit)


async def dead_letters_after(store: OperatorStore, after: ParkedPlace | None, *, limit: int) -> list[ParkedMail]:
    """As `dead_letters`, from behind this place on."""
    return [ParkedMail.of(row) for row in await store.dead_letters(limit=limit, after=after)]


def letter_place_text(place: ParkedPlace) -> str:
    """A place as an operator hands it over from page to page."""
    return f"{place.id.hex()}/{place.shard}/{address_of(place.kind, place.key)}"


def letter_place_of(text: str) -> ParkedPlace:
    """What `letter_place_text` has made of a place. Raises InvalidMessage for any other text."""
    try:
        id, shard, address = text.split("/", 2)
        return ParkedPlace(bytes.fromhex(id), *parse_address(address), int(shard))
    except (ValueError, InvalidMessage):
        raise InvalidMessage(f"{text!r} is no place among dead letters: copy it from the end of a page") from None


async def find(store: OperatorStore, id_text: str) -> ParkedMail:
    """The dead letter whose id, in hex, begins with this. Raises NotFound, or InvalidMessage if several do."""
    wanted = id_text.strip().lower()
    if not wanted or any(char not in "0123456789abcdef" for char in wanted):
        raise InvalidMessage(f"{id_text!r} is no id of a message: give its hexadecimal digits, or the first few")
    found: list[MailRow] = []
    after: ParkedPlace | None = None
    while rows := await store.dead_letters(limit=_PAGE, after=after):
        found += [row for row in rows if row.id.hex().startswith(wanted)]
        after = ParkedPlace.of(rows[-1])
    if not found:
        raise NotFound(f"no dead letter has an id that begins with {wanted}; list them with `dead-letters`")
    if len(found) > 1:
        if len({row.id for row in found}) == 1:
            names = " and ".join(address_of(*row.address) for row in found[:3])
            raise InvalidMessage(
                f"{len(found)} dead letters have the id {found[0].id.hex()}, for {names}: choose one by its kind and "
                "key, with `dead-letters replay-many` or `discard-many`"
            )
        ids = ", ".join(row.id.hex() for row in found[:3])
        raise InvalidMessage(f"{len(found)} dead letters have an id that begins with {wanted}: {ids}; give more digits")
    return ParkedMail.of(found[0])


async def check_awaited(store: OperatorStore, letter: ParkedMail) -> None:
    """Whether what a dead letter does when it is replayed is still wanted. Raises NotAwaited, or StoreError.

    A saga that was told of a fault goes on: it asks again, or turns back. Once the step is settled, another command has
    done what this one would do, or the step was refused, undone or skipped, and no undo follows. What no saga has sent
    is always wanted.
    """
    asked_by = letter.envelope.reply_to if letter.envelope else ""
    if not asked_by:
        return
    (row,) = await store.load([parse_address(asked_by)])
    for task in _tasks(row):
        if _is_settled(task, letter.row.id):
            raise NotAwaited(
                f"{asked_by} no longer waits for {letter.type}: its step {task.path} is {task_name(task)}, and "
                "what the message does now may never be undone; discard it, or replay it with --force"
            )


async def check_dispensable(store: OperatorStore, letter: ParkedMail) -> None:
    """Whether a dead letter may go. Raises StillNeeded, or StoreError.

    A saga that is stuck on a step goes on when a command of that step is answered. Nobody asks again, so the last of
    those that wait is all that can still set it going; the same holds for the answer, should that be the letter.
    What starts a saga, and what moves a choreography on, nobody sends twice.
    """
    envelope = letter.envelope
    if envelope is None:
        return
    (own,) = await store.load([letter.row.address])
    if lost := lost_with(await store.cluster(), envelope, own):
        raise StillNeeded(
            f"{lost}. Mend the cause and replay the message; or settle by hand what it was to do, and discard it "
            "with --force"
        )
    is_answer = not envelope.reply_to
    saga = letter.row.address if is_answer else parse_address(envelope.reply_to)
    id = envelope.in_reply_to if is_answer else letter.row.id
    (row,) = await store.load([saga])
    for task in _tasks(row):
        commands, undos = ids_of(task)
        if not task.stuck or id not in (*commands, *undos) or _is_settled(task, id):
            continue
        others = [one for one in (undos if id in undos else commands) if one != id]
        if not is_answer and await _any_waits(store, letter, others):
            continue
        raise StillNeeded(
            f"{address_of(*saga)} is stuck on {letter.type}: its step {task.path} is {task_name(task)}, and nobody "
            f"asks for that again unbidden. Discarded, the saga stays as it is for good, {_remains(row)}. Mend the "
            f"cause and replay the message, or have the saga ask anew (retry-saga {address_of(*saga)} --reason TEXT); "
            "or settle it by hand and discard it with --force"
        )


async def _any_waits(store: OperatorStore, letter: ParkedMail, ids: Sequence[bytes]) -> bool:
    for id in ids:
        if await store.mail_of(letter.row.address, letter.row.shard, id) is not None:
            return True
    return False


def _remains(row: ActorRow | None) -> str:
    reason = SagaRecord.FromString(row.state).stuck_reason if row is not None else ""
    return f"with this left: {reason}" if reason else "with what it still had to do"


def _tasks(row: ActorRow | None) -> Sequence[TaskRecord]:
    if row is None or row.state_type != SagaRecord.DESCRIPTOR.full_name:
        return ()
    try:
        return SagaRecord.FromString(row.state).tasks
    except DecodeError:
        return ()  # its record cannot be read, so nobody can tell what it waits for


def _is_settled(task: TaskRecord, id: bytes) -> bool:
    """Whether this message is a do or an undo of the task, and the task no longer waits for one."""
    commands, undos = ids_of(task)
    if id in commands:
        return phase_of(task) not in OPEN
    return id in undos and phase_of(task) not in OWING


def replay(letter: ParkedMail, act: Act) -> Transition:
    """Let it run again, with a fresh budget of retries."""
    row = letter.row
    # One attempt stays counted: an undo that meets it in the mail must know that it may have run in part.
    again = replace(row, parked="", parked_at_s=0.0, due_at_s=0.0, attempts=min(row.attempts, 1))
    return Transition(
        address=row.address, shard=row.shard, rescheduled=(again,), history=(_record(letter, act, "replayed"),)
    )


def discard(letter: ParkedMail, act: Act) -> Transition:
    """Give it up for good; its actor never runs it."""
    row = letter.row
    gone = replace(
        _record(letter, act, "discarded"),
        id=row.id,
        sender=letter.sender,
        type=letter.type,
        cause=letter.envelope.cause if letter.envelope else b"",
        sent_at_s=row.sent_at_s,
    )
    return Transition(
        address=row.address, shard=row.shard, given_up=(row.id,), history=(gone, _record(letter, act, "discarded"))
    )


async def carry_out(store: OperatorStore, transition: Transition) -> None:
    """Commit an act. Raises NotParked when the message is no longer there, or StoreError."""
    try:
        (verdict,) = await store.commit([transition])
    except CommitUnknown:
        (there,) = await store.settle([transition])
        if not there:
            raise StoreUnavailable("the store failed while it was written to; nothing was done: try again") from None
        return
    if verdict is not Verdict.COMMITTED:
        raise NotParked("the message is no longer parked: it was handled, replayed or discarded in the meantime")


def act_id(letter_id: bytes, act: Act) -> bytes:
    """Of the row of history that a replay leaves behind: the same of the same act on the same letter."""
    return message_id(act.at_s, letter_id, 0, f"operator/{act.who}")


def _record(letter: ParkedMail, act: Act, what: str) -> HistoryRow:
    """The act itself as a row of history. Its revision is 0: it is no turn of the actor."""
    row = letter.row
    operator = f"operator/{act.who}"
    because = (", by force" if act.forced else "") + (f": {act.reason}" if act.reason else "")
    return HistoryRow(
        conversation=row.conversation,
        id=act_id(row.id, act),
        kind=row.kind,
        key=row.key,
        shard=row.shard,
        revision=0,
        handled_at_s=act.at_s,
        outcome=Outcome.IGNORED,
        attempts=row.attempts,
        node=operator,
        error=f"{what} {row.id.hex()} by {act.who}{because} (it was parked: {row.parked})",
        type=what,
        sender=operator,
        cause=b"",  # it comes before the message it sets free, which keeps its own cause
        sent_at_s=act.at_s,
        caused=b"",
    )
