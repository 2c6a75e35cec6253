"""Programs drawn from the seed keep every promise, are worth running, and show what is broken on purpose."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runtime.durable.turn import guard, unhandled
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope
from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga import compensation
from runtime.saga.instance import Instance
from runtime.saga.nodes import undoing
from runtime.testing.runs.run import RunResult, simulate_seed
from tests.proof.programs import random

FRESH = 100
IN_ONE = 50
FIRST = 30_000
OFTEN = (  # what a batch has to have met to be worth anything
    "started",
    "completed",
    "compensated",
    "stuck",
    "cancelled",
    "replayed",
    "discarded",
    "poisoned",
    "relays put back",
    "timers fired",
    "timers moved",
    "timers cancelled",
    "too old",
)


def told(result: RunResult) -> str:
    broken = "\n".join(f"{one.invariant}: {one.what}" for one in result.violations)
    return f"{broken}\nagain: python -m runtime.testing replay {result.seed} --workload random"


@pytest.mark.parametrize("first", range(FIRST, FIRST + FRESH, IN_ONE))
def test_random_programs_keep_every_promise_and_meet_all_there_is_to_meet(first: int) -> None:
    figures: Counter[str] = Counter()
    workload = random()
    for seed in range(first, first + IN_ONE):
        result = simulate_seed(seed, workload)
        assert not result.violations, told(result)
        figures.update(result.figures)
    assert not [name for name in OFTEN if not figures[name]], figures
    assert 0.3 < figures["completed"] / figures["started"] < 0.7


def test_without_faults_they_do_too() -> None:
    for seed in range(40):
        result = simulate_seed(seed, random(), calm=True)
        assert not result.violations, told(result)


def found_within(seeds: int, invariant: str, what: str) -> bool:
    workload = random()
    for seed in range(seeds):
        violations = simulate_seed(seed, workload, calm=True).violations
        if any(one.invariant == invariant and what in one.what for one in violations):
            return True
    return False


def test_undos_in_forward_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def undo_next(saga: Instance) -> None:
        for step in saga.definition.flow_steps:
            task = saga.tasks[step.index]
            if task.status == TaskRecord.OWED:
                if not task.undo.attempts:
                    undoing.undo(saga, step, task)
                return
        compensation.close(saga)

    monkeypatch.setattr(compensation, "undo_next", undo_next)
    assert found_within(60, "I6", "was undone before")


def test_an_undo_that_takes_its_do_for_one_that_never_came_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = guard.Finding(guard.Ruling.NOTHING, "on purpose")
    monkeypatch.setattr(guard, "of_handled", lambda row, undo: nothing)
    assert found_within(60, "I5", "is undone, and 1 of it is in force")


def test_an_answer_that_dies_as_a_copy_of_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    reply, next_id = Sends._reply, Sends.next_id

    def without_an_id_of_its_own(self: Sends, message: object, name: str, body: bytes, *, id: bytes = b"") -> None:
        reply(self, message, name, body)  # type: ignore[arg-type]  # whatever it is, it is handed on

    monkeypatch.setattr(Sends, "_reply", without_an_id_of_its_own)
    monkeypatch.setattr(Sends, "next_id", lambda self, destination, content: next_id(self, destination, b""))
    assert found_within(60, "I4", "is STUCK")


def test_a_timer_that_is_tried_again_under_another_id_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = unhandled.retry_timer

    def under_another(draft: Draft, envelope: Envelope, *rest: Any) -> None:
        retry(draft, envelope, *rest)
        draft.timers[envelope.timer].first_id = b""

    monkeypatch.setattr(unhandled, "retry_timer", under_another)
    assert found_within(60, "I2", "under several ids")
