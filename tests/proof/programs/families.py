"""Sagas that are children of others: which saga of a program starts which, and how the two have to end together.

with_children(program, dice) ──▶ Program with a run of the child for each run of its parent, which no client asks for

A child is mild: it never fails for good, so that no parent waits for ever. It may be refused, silent, late and slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.view import task_name
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import CHILD, Deed, Fate, Program, Run, SagaPlan, Script

__all__ = ["check_child", "is_kept", "mild", "with_children"]

_OFTEN = 0.3

_ENDS = {
    TaskRecord.DONE: (SagaRecord.COMPLETED,),
    TaskRecord.REFUSED: (SagaRecord.COMPENSATED,),
    TaskRecord.UNDONE: (SagaRecord.COMPENSATED, SagaRecord.NONE),
    TaskRecord.WAITING: (SagaRecord.NONE,),
}
"""How the child may have ended, by what its parent makes of it."""


def with_children(program: Program, dice: Dice) -> Program:
    """The same program, in which the first saga has the second as its child, if the dice say so."""
    if len(program.sagas) < 2 or not dice.chance(_OFTEN):
        return program
    parent, child, *others = program.sagas
    parent = replace(parent, child=child.kind, child_may_stay=dice.chance(0.5))
    patterns = [run for run in program.runs if run.process == child.kind]
    parents = [run for run in program.runs if run.process == parent.kind]
    children = [_child(run, child, patterns[place % len(patterns)]) for place, run in enumerate(parents)]
    return replace(program, sagas=(parent, child, *others), runs=(*program.runs, *children))


def _child(parent: Run, plan: SagaPlan, pattern: Run) -> Run:
    key = f"C-{parent.key}"[:150]
    name = f"{plan.kind}|{key}"
    deeds = tuple(replace(deed, name=f"{name}#{deed.step}") for deed in pattern.deeds)
    return replace(
        pattern, name=name, key=key, deeds=deeds, starting=0, begin_raises=False, leader="", parent=parent.name
    )


def mild(run: Run) -> Run:
    """The same run, in which nothing fails for good, if it is a child."""
    if not run.parent:
        return run
    inner = {step: tuple(map(_mild, deeds)) for step, deeds in run.inner.items()}
    return replace(run, deeds=tuple(map(_mild, run.deeds)), inner=inner)


def _mild(deed: Deed) -> Deed:
    do, undo = _cured(deed.do), _cured(deed.undo)
    return replace(deed, do=do, undo=undo, do_raises=False, undo_raises=False, keep_raises=False)


def _cured(script: Script) -> Script:
    return replace(script, fate=Fate.APPLY) if script.is_poison else script


def check_child(evidence: Evidence, plan: SagaPlan, run: Run) -> Iterator[Violation]:
    """Whether this child has ended as its parent says. `plan` is that of the parent."""
    parent, child = _record(evidence, run.parent), _record(evidence, run.name)
    task = next((one for one in parent.tasks if one.path == CHILD), TaskRecord())
    name = SagaRecord.Status.Name(child.status)
    allowed = _ENDS.get(task.status)
    if allowed is not None and child.status not in allowed:
        text = f"{run.parent} says that its child is {task_name(task)}, and {run.name} is {name}"
        yield Violation("I5", text, parent.conversation)
    if task.status == TaskRecord.SKIPPED and not (plan.child_may_stay and child.pivot_passed):
        yield Violation("I5", f"{run.parent} has left its child, and {run.name} could be undone", parent.conversation)
    if task.status in (TaskRecord.RUNNING, TaskRecord.OWED) and parent.status != SagaRecord.STUCK:
        yield Violation("I4", f"{run.parent} waits for {run.name}, which is {name}", parent.conversation)


def is_kept(evidence: Evidence, program: Program, run: Run, reason: str) -> bool:
    """Whether a parent may be stuck for this reason: its child has passed its pivot, and may not stay."""
    plan = program.saga_of(run)
    child = next((one for one in program.runs if one.parent == run.name), None)
    if plan is None or child is None or plan.child_may_stay or f"undo of step {CHILD}: " not in reason:
        return False
    return _record(evidence, child.name).pivot_passed


def _record(evidence: Evidence, run: str) -> SagaRecord:
    return evidence.records[run][0] if run in evidence.records else SagaRecord()
