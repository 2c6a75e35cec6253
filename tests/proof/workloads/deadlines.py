"""Conversations of a choreography that has a deadline: some end in time, some late, some never.

python -m tests.proof simulate --workload deadlines

client ──ChangeAlpha──▶ alpha ──AlphaChanged──▶ beta
                          ▲                └──▶ timed-deadline ──no BetaChanged in time: RestoreAlpha──┐
                          └────────────────────────────────────────────────────────────────────────────┘
client ──after a while: ChangeBeta, which joins the conversation──▶ beta ──BetaChanged──▶ timed-deadline
client ──after that: ChangeBeta once more──▶ CannotJoin
                                           beta ──timer: ChangeBeta──▶ beta ──BetaChanged──▶ timed-deadline
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Unpack

from runtime.durable.client import CommandOptions
from runtime.durable.service import Service
from runtime.errors import AmendsError, CannotJoin
from runtime.host import Node
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb

__all__ = ["Deadlines", "deadlines"]

_WITHIN_S = 5.0
_NEVER = -1
_CONVERSATIONS = 24
_CLIENTS = 4
_CALL_S = 5.0
_NAME = "timed"
_BELLS = (-500, -3_000, -4_900, -7_000)  # ms after which a timer of beta answers
_AFTER_MS = (0, 0, 0, 0, 500, 3_000, 4_900, 5_000, 5_100, 7_000, 20_000, *_BELLS, _NEVER, _NEVER)


class Opener(Service[pb.ParticipantState], kind="alpha"):
    """Starts conversations, and counts how often each was said to be overdue."""

    state: pb.ParticipantState

    async def open(self, command: pb.ChangeAlpha) -> pb.AlphaChanged:
        return pb.AlphaChanged(key=self.key, deed=command.deed)

    async def note_overdue(self, command: pb.RestoreAlpha) -> pb.AlphaRestored:
        self.state.on_hand += 1
        return pb.AlphaRestored(key=self.key)


class Answerer(Service[pb.ParticipantState], kind="beta"):
    """Answers at once, leaves that to a client, or to a timer of its own."""

    async def work(self, command: pb.ChangeBeta) -> pb.BetaChanged | None:
        if command.amount in _BELLS:
            self.set_timer("bell", -command.amount / 1000, pb.ChangeBeta(key=self.key))
        return None if command.amount else pb.BetaChanged(key=self.key)


def work(event: pb.AlphaChanged) -> pb.ChangeBeta:
    return pb.ChangeBeta(key=event.key, amount=int(event.deed))


def say_overdue(event: pb.AlphaChanged) -> pb.RestoreAlpha:
    return pb.RestoreAlpha(key=event.key)


class Timed(Choreography, name=_NAME, deadline=_WITHIN_S):
    """One conversation for each command of a client."""

    starts = on(pb.AlphaChanged)
    reactions = (on(pb.AlphaChanged, work),)
    ends = (pb.BetaChanged, pb.AlphaRestored)
    settled_by = (pb.BetaChanged,)
    on_overdue = say_overdue


class Deadlines:
    """The workload, and its deployment."""

    hazards = ("pause",) * 2

    def __init__(self) -> None:
        services: dict[str, Any] = {"alpha": [Opener], "beta": [Answerer]}
        self.catalogue = Catalogue(contracts=[pb], services=services, choreographies=[Timed])
        self.settings: dict[str, Any] = {}
        self.expects = ("settled", "late", "overdue")
        self.never = ("MESSAGE_PARKED",)

    def deploy(self, dice: Dice) -> Deadlines:
        return self

    def begin(self, world: World, dice: Dice) -> DeadlineClients:
        return DeadlineClients(world, dice)


deadlines = Deadlines


class DeadlineClients:
    """Clients that start conversations, and what is known of each in the end."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._begun: dict[str, int] = {}  # ms until it ends, by key
        self._let_in: list[str] = []  # keys whose conversation was joined after its end

    async def run(self) -> None:
        start = self._world.ports.tasks.start
        clients = [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]
        for client in clients:
            await client

    async def _client(self, number: int) -> None:
        talks = []
        for count in range(number, _CONVERSATIONS, _CLIENTS):
            dice = self._dice.named(f"conversation {count}")
            if dice.keeps():
                key, after_ms = f"C-{count}", dice.choose(_AFTER_MS)
                talks.append(self._world.ports.tasks.start(self._talk(dice, key, after_ms), name=f"talk {key}"))
                await self._world.sleep(dice.between(0.0, 1.0))
        for talk in talks:
            await talk

    async def _talk(self, dice: Dice, key: str, after_ms: int) -> None:
        if after_ms in _BELLS:  # The actor is made by another conversation, and its timer must not fire in that.
            await self._insist(dice, pb.ChangeBeta(key=key, amount=_NEVER))
        conversation = await self._insist(dice, pb.ChangeAlpha(key=key, deed=str(after_ms)))
        self._begun[key] = after_ms
        if after_ms > 0:
            await self._world.sleep(after_ms / 1000)
            await self._insist(dice, pb.ChangeBeta(key=key), process=_NAME, conversation=conversation)
            await self._knock(dice, pb.ChangeBeta(key=key, amount=_NEVER), conversation)

    async def _knock(self, dice: Dice, command: pb.ChangeBeta, conversation: bytes) -> None:
        """Ask, until a node answers, to join a conversation that has ended."""

        async def knock(node: Node) -> None:
            await node.client.ask(command, timeout=_CALL_S, process=_NAME, conversation=conversation)

        while True:
            try:
                await dice.choose(self._world.nodes).call(knock, timeout_s=_CALL_S)
            except CannotJoin:
                return
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))
            else:
                self._let_in.append(command.key)
                return

    async def _insist(
        self, dice: Dice, command: pb.ChangeAlpha | pb.ChangeBeta, **options: Unpack[CommandOptions]
    ) -> bytes:
        """Send it under one id to one node after another, until one says that it was handled; its conversation."""
        asked_ms = int(self._world.ports.clock.now_s() * 1000)
        name = f"{type(command).__name__} {command.key}"
        options["message_id"] = asked_ms.to_bytes(6, "big") + blake2b(name.encode(), digest_size=10).digest()

        async def send(node: Node) -> bytes:
            return (await node.client.ask(command, timeout=_CALL_S, **options)).conversation

        while True:
            try:
                return await dice.choose(self._world.nodes).call(send, timeout_s=_CALL_S)
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))

    # --- looking ---

    def check(self) -> Iterator[Violation]:
        records = self._records()
        rows = self._world.ledger.rows_of("alpha")
        said = {row.key: pb.ParticipantState.FromString(row.state).on_hand for row in rows}
        if sorted(one.started_by for one in records) != sorted(f"alpha/{key}" for key in self._begun):
            yield Violation("I10", f"{len(records)} deadlines are kept for {len(self._begun)} conversations")
        yield from (Violation("I10", f"{key}: a command joined it after its end") for key in self._let_in)
        for record in records:
            key = record.started_by.partition("/")[2]
            yield from (Violation("I10", f"{key}: {what}") for what in _wrong(record, self._begun[key], said[key]))

    def _records(self) -> list[DeadlineRecord]:
        return [DeadlineRecord.FromString(row.state) for row in self._world.ledger.rows_of(f"{_NAME}-deadline")]

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Nothing: no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        records = self._records()
        return {
            "started": len(self._begun),
            "completed": len(records),
            "settled": sum(one.status == DeadlineRecord.SETTLED for one in records),
            "late": sum(one.status == DeadlineRecord.LATE for one in records),
            "overdue": sum(one.status == DeadlineRecord.OVERDUE for one in records),
        }


def _wrong(record: DeadlineRecord, after_ms: int, said: int) -> Iterator[str]:
    """What must not be of one conversation at rest; `said` is how often it was called overdue."""
    status, late_s = record.status, record.settled_at_s - record.due_at_s
    if after_ms == _NEVER and (status, said) != (DeadlineRecord.OVERDUE, 1):
        yield f"it never ended, and is {DeadlineRecord.Status.Name(status)}, said overdue {said} times"
    if after_ms != _NEVER and status not in (DeadlineRecord.SETTLED, DeadlineRecord.LATE):
        yield f"it ended, and is {DeadlineRecord.Status.Name(status)}"
    if status == DeadlineRecord.SETTLED and (said or late_s > 0):
        yield f"it is settled, {late_s:.3f} s after it was due, said overdue {said} times"
    if said > 1:
        yield f"it was said to be overdue {said} times"
