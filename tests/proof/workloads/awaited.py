"""Sagas that wait for events from outside: those come early, in time, late, twice, or never, and some keys are shared.

python -m tests.proof simulate --workload awaited

client ──Begin──▶ origin ──Begun──▶ turning: ChangeAlpha, then a wait for BetaChanged by its field `deed`
client ──ChangeBeta──▶ beta ──BetaChanged──▶ turning-keys ──▶ the instance that waits
client ──BetaChanged──────────────────────────▲              the same for going, with gamma

At rest the history of each key is read in the order of its turns, and compared with what a key is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Unpack

from google.protobuf.message import Message

from runtime.durable.client import CommandOptions
from runtime.durable.service import Service
from runtime.errors import AmendsError
from runtime.host import Node
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.key_histories import broken_keys, missed_events

__all__ = ["AwaitedEvents", "awaited"]

_WITHIN_S = 5.0
_KEPT: dict[str, Any] = {"keep": 4, "keep_for": 60.0}
_KEYS = 20
_CLIENTS = 4
_CALL_S = 5.0
_PATIENCE_S = 600.0  # of steps: nothing but a wait for an event ends a saga here
_EVENTS_MS: tuple[tuple[int, ...], ...] = (
    (),
    (-1_500,),
    (-200,),
    (0,),
    (500,),
    (2_000,),
    (4_900,),
    (5_000,),
    (5_200,),
    (20_000,),
    (-800, -400),
    (-500, 1_500),
    (300, 900),
    (4_800, 5_300),
)


class Starter(Service[pb.OriginState], kind="origin"):
    async def begin(self, command: pb.Begin) -> pb.Begun:
        return pb.Begun(key=command.run, run=command.run, process=int(command.run.split("|")[1]))


class Participant(Service[pb.ParticipantState], kind="alpha"):
    async def change(self, command: pb.ChangeAlpha) -> pb.AlphaChanged:
        self.state.on_hand += 1
        return pb.AlphaChanged(key=self.key)

    async def restore(self, command: pb.RestoreAlpha) -> pb.AlphaRestored:
        self.state.on_hand -= 1
        return pb.AlphaRestored(key=self.key)


class GammaSpeaker(Service[pb.ParticipantState], kind="gamma"):
    """Says those that the other saga waits for."""

    async def say(self, command: pb.ChangeGamma) -> pb.GammaChanged:
        return pb.GammaChanged(key=self.key, deed=command.deed, next_key=str(command.amount))


class BetaSpeaker(Service[pb.ParticipantState], kind="beta"):
    """Says the events that one of the sagas waits for, in conversations of clients."""

    async def say(self, command: pb.ChangeBeta) -> pb.BetaChanged:
        return pb.BetaChanged(key=self.key, deed=command.deed, next_key=str(command.amount))


def _begin_turning(event: pb.Begun) -> pb.FirstState:
    return pb.FirstState(key=event.key)


def _begin_going(event: pb.Begun) -> pb.SecondState:
    return pb.SecondState(key=event.key)


def _change(state: Any) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=state.key)


def _restore(state: Any) -> pb.RestoreAlpha:
    return pb.RestoreAlpha(key=state.key)


def _key(state: Any) -> str:
    """The part of the instance's key that all who wait for one event have in common."""
    return str(state.key.partition("|")[0])


def _note(state: Any, event: pb.BetaChanged) -> None:
    state.kept.append(event.next_key)


def _note_gamma(state: Any, event: pb.GammaChanged) -> None:
    state.kept.append(event.next_key)


def _first() -> Step:
    return Step(_change, pb.AlphaChanged, undo=_restore, undone=pb.AlphaRestored, timeout=_PATIENCE_S)


def _last() -> Step:
    return Step(_change, pb.AlphaChanged, undo=_restore, undone=pb.AlphaRestored, timeout=_PATIENCE_S)


class TurnsBack(Saga[pb.FirstState], kind="turning"):
    """Turns back when nothing comes."""

    started_by = on(pb.Begun, _begin_turning, where={"process": 1})
    first, last = _first(), _last()
    event = Await(pb.BetaChanged, key=_key, by="deed", within=_WITHIN_S, on_event=_note, **_KEPT)
    flow = first >> event >> last


class GoesOn(Saga[pb.SecondState], kind="going"):
    """Goes on when nothing comes."""

    started_by = on(pb.Begun, _begin_going, where={"process": 2})
    first, last = _first(), _last()
    event = Await(
        pb.GammaChanged, key=_key, by="deed", within=_WITHIN_S, on_event=_note_gamma, on_timeout="go on", **_KEPT
    )
    flow = first >> event >> last


class AwaitedEvents:
    """The workload, and its deployment."""

    hazards = ("pause",) * 2

    def __init__(self) -> None:
        services: dict[str, Any] = {
            "origin": [Starter],
            "alpha": [Participant],
            "beta": [BetaSpeaker],
            "gamma": [GammaSpeaker],
        }
        self.catalogue = Catalogue(contracts=[pb], services={**services, "waits": [TurnsBack, GoesOn]})
        self.settings: dict[str, Any] = {}
        self.expects = ("completed", "compensated", "kept", "late", "counted", "taken")
        self.never = ("MESSAGE_PARKED",)

    def deploy(self, dice: Dice) -> AwaitedEvents:
        return self

    def begin(self, world: World, dice: Dice) -> AwaitingClients:
        return AwaitingClients(world, dice)


awaited = AwaitedEvents


class AwaitingClients:
    """Clients that start sagas and say events, and what they were told."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._begun: dict[str, int] = {}  # The kind of each instance, as its number.
        self._said: dict[str, list[str]] = {}  # The contents of the events that were said, by key.
        self._told: dict[str, list[Message]] = {}  # What who said them was told.

    async def run(self) -> None:
        start = self._world.ports.tasks.start
        for client in [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]:
            await client

    async def _client(self, number: int) -> None:
        start, talks = self._world.ports.tasks.start, []
        for count in range(number, _KEYS, _CLIENTS):
            dice = self._dice.named(f"key {count}")
            if dice.keeps():
                talks += [start(one, name=f"key {count}") for one in self._about(f"E-{count}", dice)]
                await self._world.sleep(dice.between(0.0, 1.0))
        for talk in talks:
            await talk

    def _about(self, key: str, dice: Dice) -> Iterator[Any]:
        """One or two instances of one kind that wait for this key, and its events."""
        kind, events = 1 + dice.below(2), dice.choose(_EVENTS_MS)
        lead_s = max((-min(events, default=0)) / 1000, 0.0)
        for place in range(1 + dice.chance(0.25)):
            own = dice.named(f"instance {place}")
            yield self._begin(f"{key}|{kind}|{place}", kind, lead_s + own.between(0.0, 0.3), own)
        for place, after_ms in enumerate(events):
            own = dice.named(f"event {place}")
            yield self._say(key, kind, str(place), lead_s + after_ms / 1000, own)

    async def _begin(self, key: str, kind: int, after_s: float, dice: Dice) -> None:
        await self._world.sleep(after_s)
        await self._insist(dice, pb.Begin(run=key), f"begin {key}")
        self._begun[key] = kind

    async def _say(self, key: str, kind: int, content: str, after_s: float, dice: Dice) -> None:
        await self._world.sleep(after_s)
        name = f"say {key} {content}"
        self._said.setdefault(key, []).append(content)
        if dice.chance(0.5):
            change = pb.ChangeGamma if kind == _GOING else pb.ChangeBeta
            await self._insist(dice, change(key=key, deed=key, amount=int(content)), name)
            return
        changed = pb.GammaChanged if kind == _GOING else pb.BetaChanged
        event = changed(key=key, deed=key, next_key=content)
        told = await self._insist(dice, event, name, kind=f"{_KINDS[kind]}-keys", key=key)
        if told is not None:
            self._told.setdefault(key, []).append(told)

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
            said = self._said.get(key.partition("|")[0], [])
            for what in _wrong(record, said, is_going=self._begun.get(key) == _GOING):
                yield Violation("I5", f"{key}: {what}", record.conversation)
        for kind in _KINDS.values():
            yield from missed_events(self._world.ledger, kind)
            yield from broken_keys(self._world.ledger, f"{kind}-keys", _KEPT["keep_for"])

    def _records(self) -> dict[str, SagaRecord]:
        rows = [row for kind in _KINDS.values() for row in self._world.ledger.rows_of(kind)]
        return {row.key: SagaRecord.FromString(row.state) for row in rows}

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Nothing: no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        records = self._records().values()
        told = [type(one).__name__ for some in self._told.values() for one in some]
        return {
            "started": len(self._begun),
            "completed": sum(one.status == SagaRecord.COMPLETED for one in records),
            "compensated": sum(one.status == SagaRecord.COMPENSATED for one in records),
            "kept": told.count("EventKept"),
            "late": told.count("EventLate"),
            "counted": told.count("EventCounted"),
            "taken": sum(_TAKEN in one.reason for one in records),
        }


_KINDS = {1: "turning", 2: "going"}
_GOING = 2
_TAKEN = " waits for "  # in the reason of an instance whose key another one holds


def _kept(record: SagaRecord) -> list[str]:
    state = pb.FirstState if record.state_type.endswith("FirstState") else pb.SecondState
    return list(state.FromString(record.state).kept)


def _wrong(record: SagaRecord, said: list[str], *, is_going: bool) -> Iterator[str]:
    """What must not be of one instance at rest, of which these events were said."""
    kept, status = _kept(record), SagaRecord.Status.Name(record.status)
    if record.status not in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED):
        yield f"it is {status} at rest: {record.stuck_reason}"
    if len(kept) > 1 or not set(kept) <= set(said):
        yield f"it has had the events {kept}, and {said} were said"
    if record.status == SagaRecord.COMPENSATED and (kept or (is_going and _TAKEN not in record.reason)):
        yield f"it has turned back ({record.reason}), having had the events {kept}"
    if record.status == SagaRecord.COMPLETED and not is_going and not kept:
        yield "it has completed without its event"
    if bool(kept) != bool(record.tasks[1].heard_from):
        yield f"it has had the events {kept}, and its record says {record.tasks[1].heard_from!r} said one"
