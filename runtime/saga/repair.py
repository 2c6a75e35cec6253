"""An operator's act on one instance: whether it is allowed at all, what it declares, and what has come of which task.

    RepairSaga ──refusal──▶ why not, and what has changed since the operator looked
        └──carry_out──▶ the record, the act among its `repairs`, a verdict for each task that it moves

What is declared by hand is recorded as that, and never as heard. A given-up undo is no undone one: the other undos go
on and the closing steps are sent, but the instance ends ABANDONED, never COMPENSATED.
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.durable.behaviour import CancelTimer, Outgoing
from runtime.protos.saga_pb2 import (
    RepairAccepted,
    RepairRefused,
    RepairSaga,
    RetryAccepted,
    RetryRefused,
    SagaRecord,
    TaskRecord,
)
from runtime.saga import compensation, exchange, frozen, repair_checks, timer_acts
from runtime.saga.instance import Instance
from runtime.saga.node import ApprovalDefinition, AwaitDefinition, Node, Role, StepDefinition
from runtime.saga.nodes import approval, awaits, kinds
from runtime.saga.timer_names import DEADLINE
from runtime.saga.verdict import DONE, UNDONE, TaskVerdict, refused
from runtime.saga.view import left_behind, status_name, task_name

__all__ = ["Moves", "carry_out", "retry", "stuck_ones"]

_REPAIRS_MAX = 50
"""Beyond it the oldest is forgotten. The history of the instance's messages has each, as long as that is kept."""

Moves = Iterator[tuple[Node, TaskRecord, TaskVerdict]]
"""What has come of tasks, one after another: each is acted on before the next is worked out."""


def carry_out(saga: Instance, act: RepairSaga) -> Moves:
    """Do it, or refuse it; who asked is told, and the record says who, when and why."""
    if refusal := repair_checks.refusal(saga, act):
        saga.note = f"{repair_checks.word(act.act)} refused: {refusal}"
        saga.outgoing.append(Outgoing(RepairRefused(reason=refusal, revision=saga.record.revision)))
        return
    task = repair_checks.named(saga, act.task)
    text = _text(saga, act, task)
    if act.act == RepairSaga.RETRY and act.state_json:
        saga.record.state = repair_checks.edited(saga, act.state_json).SerializeToString(deterministic=True)
        for _, retried in stuck_ones(saga) if task is None else [task]:
            frozen.take_present(retried)  # an undo that is tried again is given the edited data
    yield from _moves(saga, act, task)
    _note_down(saga, act, text)
    saga.outgoing.append(Outgoing(RepairAccepted(text=text, revision=saga.record.revision + 1)))


def retry(saga: Instance) -> Moves:
    """An operator's "try again": what got the saga stuck is mended, so each task that could not go on is tried anew.

    What fails once more leaves the saga stuck as before, so trying too early does no harm, and neither does trying
    twice: an instance that is not stuck says so.
    """
    status = saga.record.status
    if status != SagaRecord.STUCK:
        nothing = status == SagaRecord.NONE
        refusal = "there is no such process" if nothing else f"it is {status_name(saga.record)}, not stuck"
        saga.note = f"trying again refused: {refusal}"
        saga.outgoing.append(Outgoing(RetryRefused(reason=refusal)))
        return
    saga.ask_again_for_keys()
    yield from _try_again(saga, stuck_ones(saga))
    saga.outgoing.append(Outgoing(RetryAccepted()))


def stuck_ones(saga: Instance) -> list[tuple[Node, TaskRecord]]:
    return [(saga.node_at(place), task) for place, task in enumerate(saga.tasks) if task.stuck]


def _try_again(saga: Instance, stuck: list[tuple[Node, TaskRecord]]) -> Moves:
    """Each of these is tried anew. What fails once more is stuck as before."""
    for _, task in stuck:
        saga.unstick(task)
    for node, task in stuck:
        yield node, task, kinds.retry(saga, node, task)


def _moves(saga: Instance, act: RepairSaga, named: tuple[Node, TaskRecord] | None) -> Moves:
    match act.act:
        case RepairSaga.RETRY:
            if named is None:
                saga.ask_again_for_keys()
            yield from _try_again(saga, stuck_ones(saga) if named is None else [named])
        case RepairSaga.CANCEL:
            compensation.turn_back(saga, f"cancelled by {act.who}: {act.reason}")
        case RepairSaga.SUSPEND:
            saga.record.suspended = True
        case RepairSaga.RESUME:
            saga.record.suspended = False
        case RepairSaga.ABANDON:
            _abandon(saga, act)
        case RepairSaga.MOVE_TIMER | RepairSaga.CANCEL_TIMER:
            timer_acts.carry_out(saga, act)
        case _:
            assert named is not None, "the other acts name a task"
            node, task = named
            if isinstance(node, ApprovalDefinition) and act.act in (RepairSaga.APPROVE, RepairSaga.DECLINE):
                yield node, task, approval.decided(saga, node, task, act)
            else:
                yield node, task, _declare(saga, act, node, task)


# --- what is declared of one task ---


def _declare(saga: Instance, act: RepairSaga, node: Node, task: TaskRecord) -> TaskVerdict:
    task.by_hand = f"{repair_checks.word(act.act)} by {act.who}"
    saga.timers.append(CancelTimer(node.timer))
    if act.act == RepairSaga.MARK_UNDONE:
        is_owed = task.status == TaskRecord.OWED
        verdict = _marked_undone(saga, task) if is_owed else _never_happened(saga, act, task)
    elif act.act == RepairSaga.SKIP and task.status == TaskRecord.OWED:
        verdict = _given_up(saga, act, node, task)
    else:
        if isinstance(node, AwaitDefinition):
            awaits.withdraw(saga, task)
        verdict = _left_out(saga, task) if act.act == RepairSaga.SKIP else _done_by_hand(saga, node, task)
    if task.stuck:
        saga.unstick(task)
    return verdict


def _marked_undone(saga: Instance, task: TaskRecord) -> TaskVerdict:
    saga.set_status(task, TaskRecord.UNDONE)
    exchange.answered(task.undo, task.by_hand)
    return UNDONE


def _never_happened(saga: Instance, act: RepairSaga, task: TaskRecord) -> TaskVerdict:
    """Of a pivot in doubt: as if it had been refused, so that all before it is undone."""
    saga.set_status(task, TaskRecord.REFUSED)
    exchange.denied(task.do, task.by_hand)
    return refused(f"{task.by_hand}: {act.reason}")


def _done_by_hand(saga: Instance, node: Node, task: TaskRecord) -> TaskVerdict:
    """As if it had been answered. Its undo is owed like any other, should the saga turn back."""
    saga.set_status(task, TaskRecord.DONE)
    task.ClearField("unkept")
    if isinstance(node, StepDefinition):
        exchange.answered(task.do, task.by_hand)
        if node.role is Role.PIVOT:
            saga.record.pivot_passed = True
    return DONE


def _given_up(saga: Instance, act: RepairSaga, node: Node, task: TaskRecord) -> TaskVerdict:
    saga.set_status(task, TaskRecord.GIVEN_UP)
    if saga.heading == SagaRecord.COMPENSATING:
        saga.record.reason += f"; the undo of {node.name} was given up by {act.who}: {act.reason}"
    return UNDONE


def _left_out(saga: Instance, task: TaskRecord) -> TaskVerdict:
    saga.set_status(task, TaskRecord.LEFT_OUT)
    return DONE


# --- the whole instance ---


def _abandon(saga: Instance, act: RepairSaga) -> None:
    """It ends as it is: nothing is sent any more, and what is open stays so in the record."""
    record = saga.record
    parts = [record.reason, record.stuck_reason, f"abandoned by {act.who}: {act.reason}", left_behind(record)]
    for place, task in enumerate(saga.tasks):
        node = saga.node_at(place)
        if task.status in (TaskRecord.RUNNING, TaskRecord.OWED):
            saga.timers.append(CancelTimer(node.timer))
            if isinstance(node, AwaitDefinition):
                awaits.withdraw(saga, task)
        task.stuck = False
    if saga.definition.deadline_s:
        saga.timers.append(CancelTimer(DEADLINE))
    record.reason = "; ".join(filter(None, parts))
    record.stuck_in, record.stuck_reason, record.suspended = SagaRecord.NONE, "", False
    del record.held[:]
    saga.end(SagaRecord.ABANDONED)


def _note_down(saga: Instance, act: RepairSaga, text: str) -> None:
    repairs = saga.record.repairs
    repairs.add(
        act=act.act,
        task=act.task,
        timer=act.timer,
        reason=act.reason,
        who=act.who,
        at_s=saga.now_s,
        revision=saga.record.revision + 1,
        text=text,
    )
    if len(repairs) > _REPAIRS_MAX:
        del repairs[0]


def _text(saga: Instance, act: RepairSaga, named: tuple[Node, TaskRecord] | None) -> str:
    """What the act does, in words."""
    stuck = [task.path for task in saga.tasks if task.stuck]
    stuck += [f"key {key.name}" for key in saga.record.keys if key.stuck]
    match act.act:
        case RepairSaga.RETRY:
            edited = ", on edited data" if act.state_json else ""
            return f"tries again {act.task or ', '.join(stuck)}{edited}"
        case RepairSaga.ABANDON:
            return f"ends as it is; {left_behind(saga.record)}"
        case RepairSaga.MOVE_TIMER | RepairSaga.CANCEL_TIMER:
            return timer_acts.text(saga, act)
        case RepairSaga.RESUME:
            return f"goes on, with {len(saga.record.held)} answers and timers that came meanwhile"
    if named is None:
        return {RepairSaga.CANCEL: "turns back", RepairSaga.SUSPEND: "sends nothing until it is resumed"}[act.act]
    return f"{repair_checks.word(act.act)} {named[0].name}, which was {task_name(named[1])}"
