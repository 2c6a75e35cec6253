"""Sagas that learn keys, move to others, and give them up; some want the same key. Events come by them at any time.

python -m tests.proof simulate --workload held

client ──Begin──▶ origin ──Begun──▶ learning: ChangeAlpha tells its key, the next one may tell another; then it waits
client ──DeltaChanged──▶ learning-keys ──▶ the instance that holds the key, or nobody: it is discarded

At rest the history of each key is read in the order of its turns: one instance at a time holds it, and nothing that
comes meanwhile is discarded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.key import Key
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.awaited import AwaitingClients, Participant, Starter
from tests.proof.workloads.key_holders import broken_holders

__all__ = ["HeldKeys", "held"]

_WITHIN_S = 5.0
_PATIENCE_S = 600.0
_PROCESS = 3
_KIND = "learning"
_TAKEN = " holds the key "  # in the reason of an instance whose key another one holds
_MOVES = "moves"  # the last part of the key of an instance that tells a second key


def _begin(event: pb.Begun) -> pb.ThirdState:
    return pb.ThirdState(key=event.key)


def _change(state: pb.ThirdState) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=state.key)


def _restore(state: pb.ThirdState) -> pb.RestoreAlpha:
    return pb.RestoreAlpha(key=state.key)


def _learn(state: pb.ThirdState, answer: pb.AlphaChanged) -> None:
    state.run = state.key.partition("|")[0]


def _learn_another(state: pb.ThirdState, answer: pb.AlphaChanged) -> None:
    if state.key.endswith(_MOVES):
        state.run = f"{state.run}*"


def _note(state: pb.ThirdState, event: pb.DeltaChanged) -> None:
    state.kept.append(event.next_key)


def _learned(state: pb.ThirdState) -> str:
    return state.run


def _step(**changed: Any) -> Step:
    return Step(_change, pb.AlphaChanged, undo=_restore, undone=pb.AlphaRestored, timeout=_PATIENCE_S, **changed)


class Learns(Saga[pb.ThirdState], kind=_KIND):
    """Holds the key that it has learned, and waits by it beside a step that may tell another."""

    started_by = on(pb.Begun, _begin, where={"process": _PROCESS})
    deed = Key(of=_learned)
    first, second, last = _step(on_answer=_learn), _step(on_answer=_learn_another), _step()
    event = Await(
        pb.DeltaChanged,
        key=deed,
        by="deed",
        within=_WITHIN_S,
        on_event=_note,
        early="discard",
        keep=8,
        keep_for=60.0,
        outside=True,
    )
    flow = first >> (second | event) >> last


class HeldKeys:
    """The workload, and its deployment."""

    hazards = ("pause",) * 2

    def __init__(self) -> None:
        services: dict[str, Any] = {"origin": [Starter], "alpha": [Participant], "waits": [Learns]}
        self.catalogue = Catalogue(contracts=[pb], services=services)
        self.settings: dict[str, Any] = {}
        self.expects = ("completed", "compensated", "discarded", "late", "counted", "taken", "moved")
        self.never = ("MESSAGE_PARKED",)

    def deploy(self, dice: Dice) -> HeldKeys:
        return self

    def begin(self, world: World, dice: Dice) -> LearningClients:
        return LearningClients(world, dice)


held = HeldKeys


class LearningClients(AwaitingClients):
    """Clients that start sagas which may want one key, and say events by it."""

    def _about(self, key: str, dice: Dice) -> Iterator[Any]:
        """Up to three instances that learn this key, and events by it and by the key that some of them move to."""
        for place in range(1 + dice.below(3)):
            own = dice.named(f"instance {place}")
            last = _MOVES if own.chance(0.4) else "stays"
            yield self._begin(f"{key}|{_PROCESS}|{place}|{last}", _PROCESS, own.between(0.0, 4.0), own)
        for place in range(dice.below(5)):
            own = dice.named(f"event {place}")
            told = f"{key}*" if own.chance(0.3) else key
            yield self._say_delta(told, str(place), own.between(0.0, 10.0), own)

    async def _say_delta(self, key: str, content: str, after_s: float, dice: Dice) -> None:
        await self._world.sleep(after_s)
        event = pb.DeltaChanged(key=key, deed=key, next_key=content)
        told = await self._insist(dice, event, f"say {key} {content}", kind=f"{_KIND}-keys", key=key)
        if told is not None:
            self._told.setdefault(key, []).append(told)

    # --- looking ---

    def check(self) -> Iterator[Violation]:
        records = self._records()
        if sorted(records) != sorted(self._begun):
            yield Violation("I1", f"{len(records)} sagas are there, and {len(self._begun)} were begun")
        for key, record in records.items():
            for what in _wrong(record):
                yield Violation("I5", f"{key}: {what}", record.conversation)
        yield from broken_holders(self._world.ledger, f"{_KIND}-keys")

    def _records(self) -> dict[str, SagaRecord]:
        return {row.key: SagaRecord.FromString(row.state) for row in self._world.ledger.rows_of(_KIND)}

    def figures(self) -> dict[str, int]:
        records = self._records().values()
        told = [type(one).__name__ for some in self._told.values() for one in some]
        return {
            "started": len(self._begun),
            "completed": sum(one.status == SagaRecord.COMPLETED for one in records),
            "compensated": sum(one.status == SagaRecord.COMPENSATED for one in records),
            "discarded": told.count("EventDiscarded"),
            "late": told.count("EventLate"),
            "counted": told.count("EventCounted"),
            "taken": sum(_TAKEN in one.reason for one in records),
            "moved": sum(pb.ThirdState.FromString(one.state).run.endswith("*") for one in records),
        }


def _wrong(record: SagaRecord) -> Iterator[str]:
    """What must not be of one instance at rest."""
    kept = list(pb.ThirdState.FromString(record.state).kept)
    if record.status not in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED):
        yield f"it is {SagaRecord.Status.Name(record.status)} at rest: {record.stuck_reason}"
    if record.keys:
        yield f"it has ended, and its record has the keys {[one.value for one in record.keys]}"
    if len(kept) > 1 or (not kept and record.status == SagaRecord.COMPLETED):
        yield f"it has had the events {kept}"
    if kept and record.status == SagaRecord.COMPENSATED and _TAKEN not in record.reason:
        yield f"it has turned back ({record.reason}), having had the events {kept}"
