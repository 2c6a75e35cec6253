"""Sagas that take locks on a few keys, two or several of them, in whichever order: some of them wait for each other.

python -m tests.proof simulate --workload locked

client ──Begin──▶ origin ──Begun──▶ two-locks: a lock, ChangeAlpha, another lock, ChangeAlpha, which may be refused
                                    all-locks: several locks at once, ChangeAlpha
                                    lost-lock: a lock that expires before the saga has ended, and for some keys a
                                    second one on the same key, which lasts longer

At rest every lock is free, all have had their turn in the order in which they asked, and what one saga did under its
lock was all done before the next one began. Nobody has waited until the time of its wait was over.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import permutations
from typing import Any, Unpack

from google.protobuf.message import Message

from runtime.durable.client import CommandOptions
from runtime.durable.service import Service
from runtime.errors import AmendsError
from runtime.host import Node
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.each import Each
from runtime.saga.lock import Lock
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.saga.when import When
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.awaited import Starter
from tests.proof.workloads.lock_histories import broken_locks

__all__ = ["LockedKeys", "locked"]

_WITHIN_S = 1_800.0  # Nobody waits for so long, unless a deadlock is not found.
_PATIENCE_S = 600.0
_EXPIRES_S, _LONGER_S = 0.5, 2.0
_AGAIN_S = 5.0  # For so long the second hold of a key lasts.
_SAGAS = 24
_CLIENTS = 4
_CALL_S = 5.0
_ORDERS = tuple(map("".join, permutations("abcd")))  # In which locks may be taken.


class Shelf(Service[pb.ParticipantState], kind="alpha"):
    async def change(self, command: pb.ChangeAlpha) -> pb.AlphaChanged | pb.AlphaRefused:
        if command.deed.endswith("|no") and command.amount:
            return pb.AlphaRefused(key=self.key)
        self.state.on_hand += 1
        return pb.AlphaChanged(key=self.key)

    async def restore(self, command: pb.RestoreAlpha) -> pb.AlphaRestored:
        self.state.on_hand -= 1
        return pb.AlphaRestored(key=self.key)


def _begin_two(event: pb.Begun) -> pb.FirstState:
    return pb.FirstState(key=event.key)


def _begin_all(event: pb.Begun) -> pb.SecondState:
    return pb.SecondState(key=event.key)


def _begin_lost(event: pb.Begun) -> pb.ThirdState:
    return pb.ThirdState(key=event.key)


def _wants(key: str) -> str:
    """The keys that an instance locks, in its order: a letter each."""
    return key.split("|")[2]


def _first(state: Any) -> str:
    return _wants(state.key)[0]


def _second(state: Any) -> str:
    return _wants(state.key)[1]


def _holds_twice(state: Any) -> bool:
    return _second(state) in "ab"


def _several(state: Any) -> list[str]:
    return list(_wants(state.key))


def _item(_state: Any, one: str) -> str:
    return one


def _step(place: int) -> Step:
    """On the key of this place."""

    def change(state: Any) -> pb.ChangeAlpha:
        return pb.ChangeAlpha(key=_wants(state.key)[place], deed=state.key, amount=place)

    def restore(state: Any) -> pb.RestoreAlpha:
        return pb.RestoreAlpha(key=_wants(state.key)[place], deed=state.key)

    return Step(change, pb.AlphaChanged, pb.AlphaRefused, undo=restore, undone=pb.AlphaRestored, timeout=_PATIENCE_S)


class TakesTwo(Saga[pb.FirstState], kind="two-locks"):
    started_by = on(pb.Begun, _begin_two, where={"process": 1})
    first, second = Lock("shelf", _first, within=_WITHIN_S), Lock("shelf", _second, within=_WITHIN_S)
    enter, last = _step(0), _step(1)
    flow = first >> enter >> second >> last


class TakesAll(Saga[pb.SecondState], kind="all-locks"):
    started_by = on(pb.Begun, _begin_all, where={"process": 2})
    hold = Each(_several, Lock("shelf", _item, within=_WITHIN_S), at_once=3)
    enter, last = _step(0), _step(1)
    flow = hold >> (enter | last)


class LosesOne(Saga[pb.ThirdState], kind="lost-lock"):
    started_by = on(pb.Begun, _begin_lost, where={"process": 3})
    hold = Lock("till", _first, within=_WITHIN_S, expires=_EXPIRES_S)
    again = Lock("till", _first, within=_WITHIN_S, expires=_AGAIN_S)
    twice = When(_holds_twice, then=again)
    rest = Wait(_LONGER_S)
    enter = _step(0)
    flow = hold >> twice >> rest >> enter


_KINDS = {1: "two-locks", 2: "all-locks", 3: "lost-lock"}
_REASONS = ("deadlock: ", "AlphaRefused", "cancelled by the workload")
_OVERDUE = "was not free within"


class LockedKeys:
    """The workload, and its deployment."""

    hazards = ("pause",) * 2

    def __init__(self) -> None:
        services: dict[str, Any] = {"origin": [Starter], "alpha": [Shelf], "locks": [TakesTwo, TakesAll, LosesOne]}
        self.catalogue = Catalogue(contracts=[pb], services=services)
        self.settings: dict[str, Any] = {}
        self.expects = ("completed", "compensated", "deadlocks", "lost", "refused", "cancelled")
        self.never = ("MESSAGE_PARKED",)

    def deploy(self, dice: Dice) -> LockedKeys:
        return self

    def begin(self, world: World, dice: Dice) -> LockingClients:
        return LockingClients(world, dice)


locked = LockedKeys


class LockingClients:
    """Clients that start sagas, and have some of them turn back."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._begun: dict[str, str] = {}  # The kind of each instance.

    async def run(self) -> None:
        start = self._world.ports.tasks.start
        for client in [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]:
            await client

    async def _client(self, number: int) -> None:
        for count in range(number, _SAGAS, _CLIENTS):
            dice = self._dice.named(f"saga {count}")
            if dice.keeps():
                await self._world.sleep(dice.choose((0.0, 0.05, 0.5)) * dice.fraction())
                await self._run(count, dice)

    async def _run(self, count: int, dice: Dice) -> None:
        kind = 1 + dice.below(3)
        wants = dice.choose(_ORDERS)[: 2 if kind != 2 else 2 + dice.below(2)]
        key = f"{count}|{kind}|{wants}|{'no' if dice.chance(0.2) else 'ok'}"
        await self._insist(dice, pb.Begin(run=key), f"begin {key}")
        self._begun[key] = _KINDS[kind]
        if dice.chance(0.15):
            await self._world.sleep(dice.fraction())
            await self._cancel(_KINDS[kind], key, dice)

    async def _cancel(self, kind: str, key: str, dice: Dice) -> None:
        """Try a few times: it may have ended, or not have begun."""

        async def cancel(node: Node) -> object:
            return await node.client.cancel(kind, key, "cancelled by the workload", timeout=_CALL_S)

        for _ in range(3):
            try:
                await dice.choose(self._world.nodes).call(cancel, timeout_s=_CALL_S)
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))
            else:
                return

    async def _insist(
        self, dice: Dice, command: Message, name: str, **options: Unpack[CommandOptions]
    ) -> Message | None:
        """Send it under one id to one node after another, until one says that it was handled; what it answered."""
        asked_ms = int(self._world.ports.clock.now_s() * 1000)
        options["message_id"] = asked_ms.to_bytes(6, "big") + blake2b(name.encode(), digest_size=10).digest()

        async def send(node: Node) -> Message | None:
            return (await node.client.ask(command, timeout=_CALL_S, **options)).message

        while True:
            try:
                return await dice.choose(self._world.nodes).call(send, timeout_s=_CALL_S)
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))

    # --- looking ---

    def check(self) -> Iterator[Violation]:
        records = self._records()
        if sorted(records) != sorted(self._begun):
            yield Violation("I1", f"{len(records)} sagas are there, and {len(self._begun)} were begun")
        for key, record in records.items():
            for what in _wrong(record, self._world.ledger.clocks_wrong_s):
                yield Violation("I5", f"{key}: {what}", record.conversation)
        yield from broken_locks(self._world.ledger, "shelf-lock", is_exclusive=True)
        yield from broken_locks(self._world.ledger, "till-lock", is_exclusive=False)

    def _records(self) -> dict[str, SagaRecord]:
        rows = [row for kind in _KINDS.values() for row in self._world.ledger.rows_of(kind)]
        return {row.key: SagaRecord.FromString(row.state) for row in rows}

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Nothing: no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        records = self._records().values()
        reasons = [one.reason for one in records]
        return {
            "started": len(self._begun),
            "completed": sum(one.status == SagaRecord.COMPLETED for one in records),
            "compensated": sum(one.status == SagaRecord.COMPENSATED for one in records),
            "deadlocks": sum("deadlock: " in one for one in reasons),
            "refused": sum("AlphaRefused" in one for one in reasons),
            "cancelled": sum("cancelled by the workload" in one for one in reasons),
            "lost": sum(task.lock.lost_at_s > 0 for one in records for task in one.tasks),
        }


def _wrong(record: SagaRecord, clocks_wrong_s: float) -> Iterator[str]:
    """What must not be of one instance at rest. By a clock that jumped ahead, the time of a wait may be over."""
    reasons = (*_REASONS, _OVERDUE) if clocks_wrong_s >= _WITHIN_S else _REASONS
    if record.status not in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED):
        yield f"it is {SagaRecord.Status.Name(record.status)} at rest: {record.stuck_reason}"
    if record.status == SagaRecord.COMPENSATED and not any(one in record.reason for one in reasons):
        yield f"it has turned back without need: {record.reason}"
    for task in record.tasks:
        if task.lock.lost_at_s and task.lock.lost_at_s < task.lock.expires_at_s:
            yield f"its lock {task.address} went to {task.lock.went_to} before its time was over"
    yield from _lost_beside(record)


def _lost_beside(record: SagaRecord) -> Iterator[str]:
    """A hold that was lost while a second one of the same key lasted. All instants are of the key's actor."""
    holds = {task.path: task for task in record.tasks if task.lock.granted_at_s}
    if record.status != SagaRecord.COMPLETED or not {"hold", "again"} <= holds.keys():
        return
    first, second = holds["hold"].lock, holds["again"].lock
    if second.expires_at_s - _AGAIN_S <= first.lost_at_s < second.expires_at_s:
        yield f"its lock {holds['hold'].address} went to {first.went_to} while it held the key once more"
