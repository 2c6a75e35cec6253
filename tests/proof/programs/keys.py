"""Keys of drawn sagas: an instance asks for each that its state tells, holds it alone, and gives it up at its end.

    KeyPlan ──keys_and_waits──▶ Key, and the waits by it
    history of KIND-keys/VALUE ──▶ who held the key, and what became of events that came by it ──▶ promises

A key is told by the answer of one step, may change by that of another, and may be gone by that of a third. So its value
is a function of the answers that a run has kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.envelope import address_of
from runtime.protos.saga_pb2 import HoldKey, SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.key import Key
from runtime.saga.node import full_name
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.annotate import annotate
from tests.proof.programs.detour_plan import KEY_NAMES, KeyPlan
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Program, Run, SagaPlan, StepPlan
from tests.proof.workloads.key_holders import broken_holders

__all__ = ["KEY_EVENTS", "WaitsBefore", "check_keys", "is_taken", "key_figures", "keys_and_waits", "values_of"]

KEY_EVENTS: Mapping[str, Any] = dict(zip(KEY_NAMES, (pb.Hint, pb.Clue), strict=True))
"""The events by each key. A message class each, with the same fields."""

WaitsBefore = Callable[[int], dict[str, Await]]
"""The waits by keys before the step at this place, by their names."""

_HOLDS = full_name(HoldKey)
_TAKEN = re.compile(r"key (\w+): \S.* holds the key ", re.DOTALL)
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)
_KEPT: dict[str, Any] = {"keep": 50, "keep_for": 20.0}


def keys_and_waits(plan: SagaPlan, state_type: type[Message]) -> tuple[dict[str, Key], WaitsBefore]:
    """The keys of a saga by name, and by the place of a step the waits before it."""
    keys = {one.name: _key_of(one, state_type) for one in plan.detours.keys}

    def before(index: int) -> dict[str, Await]:
        step = plan.steps[index]
        return {
            f"{step.name}_{one.name}": _wait_of(one, keys[one.name], step, one.waits_s[index], state_type)
            for one in plan.detours.keys
            if index in one.waits_s
        }

    return keys, before


def _key_of(plan: KeyPlan, state_type: type[Message]) -> Key:
    def of(state: Any) -> str:
        return _value(plan, state.run, state.kept)

    return Key(annotate(of, state=state_type, result=str), taken="stuck" if plan.sticks else "turn back")


def _wait_of(plan: KeyPlan, key: Key, step: StepPlan, within_s: float, state_type: type[Message]) -> Await:
    def note(state: Any, event: Any) -> None:
        state.heard.append(event.content)

    event = KEY_EVENTS[plan.name]
    return Await(
        event,
        key=key,
        within=within_s,
        on_event=annotate(note, state=state_type, event=event, result=None),
        on_timeout="go on" if int(step.name[1:]) % 2 else "turn back",
        early="discard" if plan.discards else "keep",
        outside=True,
        **_KEPT,
    )


def values_of(plan: KeyPlan, run: Run) -> tuple[str, ...]:
    """All values that the key may have in this run."""
    steps = [plan.learned] if plan.moved is None else [plan.learned, plan.moved]
    kept = [f"{run.name}#s{index}" for index in steps]
    return tuple(filter(None, (_value(plan, run.name, kept[: count + 1]) for count in range(len(kept)))))


def _value(plan: KeyPlan, run: str, kept: Sequence[str]) -> str:
    """What the answers that a run has kept tell of the key; empty if they tell none."""
    told = [_step_of(deed) for deed in kept]
    if plan.learned not in told or plan.dropped in told:
        return ""
    first = f"{plan.name} {sum(run.encode()) % 2}" if plan.is_shared else f"{plan.name} {run}"
    return f"{first}*" if plan.moved in told else first


def _step_of(deed: str) -> int:
    return int(deed.rpartition("#s")[2].partition("[")[0])


# --- promises ---


def check_keys(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """All that is wrong with who held which key, and what came by it."""
    for plan in program.sagas:
        if not plan.detours.keys:
            continue
        held = {
            (address_of(row.kind, row.key), entry.value)
            for record, row in evidence.records.values()
            for entry in record.keys
            if record.status not in _ENDED
        }
        yield from broken_holders(evidence.ledger, f"{plan.kind}-keys", held)
        asked = {
            (one.sender, HoldKey.FromString(one.body).key)
            for _, one in evidence.ledger.sent()
            if one is not None and one.type == _HOLDS
        }
        for run in program.runs:
            if run.process == plan.kind and run.name in evidence.records:
                record, row = evidence.records[run.name]
                for what in _mistakes(plan, run, record, address_of(row.kind, row.key), asked):
                    yield Violation("I5", f"{run.name}: {what}", record.conversation)


def _mistakes(plan: SagaPlan, run: Run, record: SagaRecord, address: str, asked: set[tuple[str, str]]) -> Iterator[str]:
    if record.status in _ENDED and record.keys:
        yield f"it has ended, and its record has the keys {[one.value for one in record.keys]}"
    state = pb.FirstState.FromString(record.state)  # The states of all sagas have the same fields.
    for key in plan.detours.keys:
        for value in _told(plan, key, run, state.kept):
            if (address, value) not in asked:
                yield f"its state told the key {value!r}, and it never asked for that"
    heard = Counter(task.heard_from != "" for task in record.tasks if task.path.endswith(KEY_NAMES))[True]
    if heard != len(state.heard):
        yield f"{heard} of its waits by a key have heard an event, and it has noted {[*state.heard]}"


def _told(plan: SagaPlan, key: KeyPlan, run: Run, kept: Sequence[str]) -> Iterator[str]:
    """The values that were told by one turn and not changed by the same: a step that comes later was asked after it."""
    for place in range(1, len(kept)):
        if _step_of(kept[place]) in plan.later_than(_step_of(kept[place - 1])):
            value = _value(key, run.name, kept[:place])
            if value:
                yield value


def is_taken(evidence: Evidence, program: Program, run: Run, reason: str) -> bool:
    """Whether a saga may be stuck for this reason: another one holds its key, and it rests then, or has no way back."""
    plan, found = program.saga_of(run), _TAKEN.match(reason)
    if plan is None or found is None:
        return False
    key = next((one for one in plan.detours.keys if one.name == found[1]), None)
    return key is not None and key.is_shared and (key.sticks or evidence.records[run.name][0].pivot_passed)


def key_figures(evidence: Evidence) -> dict[str, int]:
    records = [record for record, _ in evidence.records.values() if record.definition]
    asked = Counter(one.sender for _, one in evidence.ledger.sent() if one is not None and one.type == _HOLDS)
    return {
        "keys asked for": sum(asked.values()),
        "heard by a key": sum(len(pb.FirstState.FromString(record.state).heard) for record in records),
        "keys taken": sum(bool(_TAKEN.match(one.stuck_reason or one.reason)) for one in records),
    }
