"""Each kind of node, and where its rules are. A kind is added here, and in no other file of the engine.

    answered, undo_answered                an answer to its command, or to its undo, has come
    begin    its turn has come             retry    it was stuck, and an operator has it tried once more
    fired    its timer has                 undo     its turn to be undone has come
    next_to  what may begin once it is done        came     something has come of a task within it

Faults and confirmations are about commands, and so about steps alone: `step.py` and, of undos, `undoing.py`.
"""

from __future__ import annotations

from typing import assert_never

from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga.inputs import Answered
from runtime.saga.instance import Instance
from runtime.saga.node import (
    ApprovalDefinition,
    AwaitDefinition,
    ChildDefinition,
    EachDefinition,
    EndDefinition,
    FirstOfDefinition,
    LockDefinition,
    Node,
    PublishDefinition,
    StepDefinition,
    WaitDefinition,
    WhenDefinition,
)
from runtime.saga.nodes import approval, awaits, child, each, end, first_of, locks, publish, step, undoing, wait, when
from runtime.saga.verdict import TaskVerdict

__all__ = ["answered", "begin", "came", "fired", "next_to", "retry", "undo", "undo_answered"]


def begin(saga: Instance, node: Node, task: TaskRecord) -> TaskVerdict:
    if type(node) is StepDefinition:  # nearly always, and a match costs more
        return step.begin(saga, node, task)
    match node:
        case AwaitDefinition():
            return awaits.begin(saga, node, task)
        case LockDefinition():
            return locks.begin(saga, node, task)
        case StepDefinition() | ChildDefinition():
            return step.begin(saga, node, task)
        case WaitDefinition():
            return wait.begin(saga, node, task)
        case WhenDefinition():
            return when.begin(saga, node, task)
        case EndDefinition():
            return end.begin(saga, task)
        case ApprovalDefinition():
            return approval.begin(saga, node, task)
        case PublishDefinition():
            return publish.begin(saga, node, task)
        case EachDefinition():
            return each.begin(saga, node, task)
        case FirstOfDefinition():
            return first_of.begin(saga, node, task)
        case _:
            assert_never(node)


def answered(saga: Instance, node: StepDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    if type(node) is StepDefinition:  # as in begin
        return step.answered(saga, node, task, answer.command_id, answer.message)
    if isinstance(node, ChildDefinition):
        return child.answered(saga, node, task, answer)
    if isinstance(node, AwaitDefinition):
        return awaits.answered(saga, node, task, answer)
    if isinstance(node, LockDefinition):
        return locks.answered(saga, node, task, answer)
    return step.answered(saga, node, task, answer.command_id, answer.message)


def undo_answered(saga: Instance, node: StepDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    if isinstance(node, ChildDefinition):
        return child.undo_answered(saga, node, task, answer)
    return undoing.undo_answered(saga, node, task, answer.command_id, answer.message)


def fired(saga: Instance, node: Node, task: TaskRecord) -> TaskVerdict:
    if isinstance(node, AwaitDefinition):
        return awaits.fired(saga, node, task)
    if isinstance(node, LockDefinition):
        return locks.fired(saga, node, task)
    if isinstance(node, ChildDefinition):
        return child.fired(saga, node, task)
    if isinstance(node, StepDefinition):
        return step.fired(saga, node, task)
    if isinstance(node, ApprovalDefinition):
        return approval.fired(saga, node, task)
    return wait.fired(saga, node, task)  # no other node sets a timer, so that of another comes late


def retry(saga: Instance, node: Node, task: TaskRecord) -> TaskVerdict:
    if isinstance(node, AwaitDefinition):
        return awaits.retry(saga, node, task)
    if isinstance(node, LockDefinition):
        return locks.retry(saga, node, task)
    if isinstance(node, ChildDefinition):
        return child.retry(saga, node, task)
    if isinstance(node, StepDefinition):
        return step.retry(saga, node, task)
    if isinstance(node, FirstOfDefinition):
        return first_of.retry(saga, node, task)
    return each.retry(saga, node, task) if isinstance(node, EachDefinition) else begin(saga, node, task)


def undo(saga: Instance, node: Node, task: TaskRecord) -> TaskVerdict:
    match node:
        case AwaitDefinition():
            return awaits.undo(saga, node, task)
        case LockDefinition():
            return locks.undo(saga, node, task)
        case ChildDefinition():
            return child.undo(saga, node, task)
        case StepDefinition():
            return undoing.undo(saga, node, task)
        case EachDefinition():
            return each.undo(saga, node, task)
        case FirstOfDefinition():
            return first_of.undo(saga, node, task)
        case _:
            raise AssertionError("nothing else owes an undo")


def came(saga: Instance, node: Node, task: TaskRecord, one: TaskRecord, verdict: TaskVerdict) -> TaskVerdict:
    """What the verdict on `one`, which is within this task, means for the task."""
    if isinstance(node, EachDefinition):
        return each.came(saga, node, task, one, verdict)
    assert isinstance(node, FirstOfDefinition), "nothing else has tasks within"
    return first_of.came(saga, node, task, one, verdict)


def next_to(saga: Instance, node: Node) -> tuple[int, ...]:
    """The places of the nodes that may begin now that this one is done, if they wait for nothing else."""
    return when.next_to(saga, node) if type(node) is WhenDefinition else node.after
