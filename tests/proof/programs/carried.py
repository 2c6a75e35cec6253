"""Instances that another version of their saga has begun: how they are carried over, and what must be true of them.

SagaPlan of a later version ──carries_of──▶ carries = {the class of the earlier one: a migration}
records ──▶ promises

A version has a number, its generation, and every state names the generation whose functions may read it. So a function
that is given a state which was not carried over fails, be it the present state or one that was kept for an undo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga import frozen
from runtime.saga.carrying import Carried, Position
from runtime.saga.definition import Definition
from runtime.saga.migration import way_of
from runtime.testing.rules.ledger import Violation
from tests.proof.programs.annotate import annotate
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import SagaPlan
from tests.proof.programs.vocabulary import SLOTS

__all__ = ["check_carried", "check_generation", "migration_to", "was_carried"]


def migration_to(plan: SagaPlan, state_type: type[Message]) -> Callable[[Any, Position], Carried]:
    """From the version before this one."""
    assert plan.earlier is not None
    places = range(len(plan.steps))
    names = {plan.earlier.called(index): plan.called(index) for index in places}

    def carry(state: Any, position: Position) -> Carried:
        made: Any = state_type()
        made.CopyFrom(state)
        made.generation = plan.generation
        return Carried(made, {old: new for old, new in names.items() if old != new and old in position.tasks})

    return annotate(carry, state=state_type, position=Position, result=Carried)


def check_generation(state: Any, plan: SagaPlan) -> None:
    """Raises AssertionError in a function that was given the state of another version."""
    if state.generation != plan.generation:
        raise AssertionError(f"the state is of version {state.generation}, and the function of {plan.generation}")


def was_carried(evidence: Evidence) -> int:
    """How many instances have been carried over."""
    return sum(bool(record.earlier_fingerprints) for record, _ in evidence.records.values())


def check_carried(
    evidence: Evidence, first: Iterable[Definition], last: Iterable[Definition], plans: Mapping[str, SagaPlan]
) -> Iterator[Violation]:
    """Every record, and every state in it, is of the version that it names, and names all that it had before.

    `plans` are those of the later version, by kind.
    """
    begun_as = {one.name: one for one in first}
    for definition in last:
        plan, old = plans[definition.name], begun_as[definition.name].fingerprint
        known = {old: 0, definition.fingerprint: plan.generation}
        for name, (record, row) in evidence.records.items():
            if row.kind != definition.name or not record.definition:
                continue
            was = tuple(record.earlier_fingerprints)
            generation = known.get(record.fingerprint, -1)
            if generation < 0 or was not in ((), way_of(definition, old)) or (was and not generation):
                had = [one.hex() for one in (*was, record.fingerprint)]
                yield Violation("I5", f"{name} has had the versions {had}", record.conversation)
            for what in _of_another(record, row.kind, generation):
                yield Violation("I5", f"{name}: {what}", record.conversation)


def _of_another(record: SagaRecord, kind: str, generation: int) -> Iterator[str]:
    state_type: Any = next(slot.state for slot in SLOTS if slot.kind == kind)
    for place, state in enumerate([record.state, *frozen.earlier(record)]):
        found = state_type.FromString(state).generation
        if found != generation:
            yield f"its state {place or 'now'} is of version {found}, and its record of {generation}"
