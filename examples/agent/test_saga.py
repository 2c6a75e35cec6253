"""The saga by itself: one call after another, and back when the budget is spent."""

from __future__ import annotations

from examples.agent.agent_pb2 import BudgetSpent, Call, FileRestored, FileWritten, PlanStarted, RestoreFile, WriteFile
from examples.agent.saga import CarryOut
from runtime.testing import SagaTranscript

CALLS = [Call(file="a.txt", text="new", cost_cents=3), Call(file="b.txt", text="new", cost_cents=3)]


def test_calls_are_taken_back_in_reverse_each_before_the_next() -> None:
    three = [*CALLS, Call(file="c.txt", text="new", cost_cents=3)]
    plan = SagaTranscript(CarryOut).given(PlanStarted(plan_id="P-1", budget_cents=7, calls=three)).expect(WriteFile)
    plan.given(FileWritten(plan_id="P-1")).given(FileWritten(plan_id="P-1")).expect(WriteFile)
    plan.given(BudgetSpent(plan_id="P-1")).expect(RestoreFile(plan_id="P-1", call=CALLS[1]))
    plan.given(FileRestored(plan_id="P-1")).expect(RestoreFile(plan_id="P-1", call=CALLS[0]))
    plan.given(FileRestored(plan_id="P-1")).expect_status("compensated")


def test_a_spent_budget_takes_back_the_calls_before_it() -> None:
    plan = SagaTranscript(CarryOut).given(PlanStarted(plan_id="P-1", budget_cents=5, calls=CALLS)).expect(WriteFile)
    plan.given(FileWritten(plan_id="P-1")).expect(WriteFile)
    plan.given(BudgetSpent(plan_id="P-1")).expect(RestoreFile(plan_id="P-1", call=CALLS[0]))
    plan.given(FileRestored(plan_id="P-1")).expect_status("compensated")


def test_a_plan_that_touches_a_file_twice_is_not_begun() -> None:
    twice = [CALLS[0], Call(file="there/a.txt", text="newer")]
    SagaTranscript(CarryOut).given(PlanStarted(plan_id="P-1", budget_cents=5, calls=twice)).expect()
