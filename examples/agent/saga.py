"""The saga: the calls of a plan, one after another; a refusal half way takes them back, the last one first."""

from __future__ import annotations

from pathlib import PurePosixPath

from examples.agent.agent_pb2 import (
    BudgetSpent,
    Call,
    CarryOutState,
    FileRestored,
    FileWritten,
    PlanStarted,
    RestoreFile,
    WriteFile,
)
from runtime import Each, Saga, Step, on, seconds

__all__ = ["CarryOut"]


def begin(event: PlanStarted) -> CarryOutState:
    return CarryOutState(plan_id=event.plan_id, budget_cents=event.budget_cents, calls=event.calls)


def calls(state: CarryOutState) -> list[Call]:
    return list(state.calls)


def file_name(call: Call) -> str:
    """The tools ignore folders, so two paths that end in the same name are one file."""
    return PurePosixPath(call.file).name


def write(state: CarryOutState, call: Call) -> WriteFile:
    return WriteFile(plan_id=state.plan_id, budget_cents=state.budget_cents, call=call)


def restore(state: CarryOutState, call: Call) -> RestoreFile:
    return RestoreFile(plan_id=state.plan_id, call=call)


class CarryOut(Saga[CarryOutState], kind="carry-out"):
    """Makes all calls of a plan, or leaves the folder as it was. A plan touches each file once: the file is the key."""

    started_by = on(PlanStarted, begin)
    steps = Each(
        calls,
        Step(write, FileWritten, refused=BudgetSpent, undo=restore, undone=FileRestored, timeout=seconds(30)),
        key=file_name,
        in_order=True,
    )
    flow = steps
