"""What one input does to one running saga, without I/O, clock or chance.

    definition, record, input, now ──advance──▶ the next record, commands to send, timers to set, a note

    RUNNING ──every step done──────────────────────────────────▶ COMPLETED
       │  refusal, silence, fault, cancellation, deadline; never past the pivot
       ▼
    COMPENSATING ──each owed undo confirmed, last first; closing commands confirmed──▶ COMPENSATED
       │  (either way) out of budget                 ▲ what was missing is confirmed after all
       ▼                                             │
    STUCK ───────────────────────────────────────────┘

An undo is owed from the moment a step's command is sent, and only a refusal, or having no undo, ends that: silence and
faults mean "maybe done". What an input means for one task, its node says (`nodes`), by a verdict. This file acts on
verdicts: it says who is ready, who is settled, when the saga turns back, and in which order it is undone.
The author's functions run inside: what they raise ends in turning back, or stuck, never in a half-changed record.
Undo in reverse follows H. Garcia-Molina and K. Salem, "Sagas" (1987); the pivot, C. Richardson's later account.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from runtime.durable.behaviour import CancelTimer, NextId, SetTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga import asker, cancellation, compensation, completion, deadlock, halted, held_keys, inputs, repair
from runtime.saga.definition import Definition
from runtime.saga.instance import Instance, Question
from runtime.saga.node import Node, Role
from runtime.saga.node_bounds import UNBOUND, NodeBounds
from runtime.saga.nodes import kinds, locks, probed, undoing
from runtime.saga.nodes import step as steps
from runtime.saga.reminders import follow_reminders, reminder_fired
from runtime.saga.timer_names import DEADLINE
from runtime.saga.verdict import NOTHING, Came, TaskVerdict
from runtime.saga.view import SETTLED, status_name

__all__ = ["advance"]

_ANSWERED = {Question.DO: kinds.answered, Question.UNDO: kinds.undo_answered, Question.PROBE: probed.answered}


def advance(
    definition: Definition,
    record: SagaRecord,
    given: inputs.Input,
    now_s: float,
    next_id: NextId,
    bounds: NodeBounds = UNBOUND,
) -> inputs.Advance:
    """Apply one input to `record`, in place; an empty one means that there is no instance.

    `next_id` gives the id of the next command for its destination `kind/key` and what it says; the same calls have to
    give the same ids. What the author's functions make beyond the bounds is their failure.
    Never raises for what an author's function raises.
    """
    saga, before = Instance(definition, record, now_s, next_id, bounds), record.status
    has_keys = bool(definition.keys or record.keys)
    if not halted.takes(saga, given) and not (has_keys and held_keys.hears(saga, given)):
        _apply(saga, given)
    if has_keys:
        _follow_keys(saga, was_stuck=before == SagaRecord.STUCK)
    if definition.reminders or record.reminders:
        follow_reminders(saga)
    if record.status != before or saga.was_asked:
        asker.tell(saga, before)
        locks.let_go(saga, before)
    return saga.result()


def _apply(saga: Instance, given: inputs.Input) -> None:
    match given:
        case inputs.Answered():
            _answered(saga, given)
        case inputs.Start():
            _start(saga, given)
        case inputs.StartedAgain():
            asker.start_again(saga, given.asked_by)
        case inputs.UndoRequested():
            cancellation.undo(saga, given.reason, given.asked_by)
        case inputs.Faulted():
            _faulted(saga, given)
        case inputs.NothingToUndo():
            _nothing_to_undo(saga, given)
        case inputs.TimerFired():
            _timer_fired(saga, given.name)
        case inputs.CancelRequested():
            cancellation.cancel(saga, given.reason)
        case inputs.CarriedOver():
            _carried_over(saga)
        case inputs.RetryRequested():
            _act_on_all(saga, repair.retry(saga))
        case inputs.RepairRequested():
            _repair(saga, given)
        case inputs.DeadlockSearched():
            deadlock.searched(saga, given)
        case inputs.Unmatched():
            _unmatched(saga, given)
        case _:
            assert_never(given)
    if saga.begins or saga.undos:
        _begin_inner(saga)


def _follow_keys(saga: Instance, *, was_stuck: bool) -> None:
    """A key that is taken may turn the saga back; one that it needs no more may have been all that held it up."""
    _act_on_all(saga, held_keys.follow(saga))
    _begin_inner(saga)
    if was_stuck and saga.record.status == SagaRecord.RUNNING:
        _go_on(saga, ())
        _act_on_all(saga, held_keys.follow(saga))
    held_keys.give_up(saga)


# --- inputs, each for the task that it is about ---


def _start(saga: Instance, start: inputs.Start) -> None:
    record, definition = saga.record, saga.definition
    if record.definition:
        saga.note = f"the instance was started before; it is {status_name(record)}"
        return
    record.CopyFrom(definition.template)
    record.conversation = start.conversation
    record.started_at_s = saga.now_s
    record.state = start.state.SerializeToString(deterministic=True)
    if start.asked_by is not None:
        asker.ask(saga, start.asked_by)
    if definition.deadline_s:
        saga.timers.append(SetTimer(DEADLINE, saga.now_s + definition.deadline_s))
    _go_on(saga, definition.entries)


def _answered(saga: Instance, answer: inputs.Answered) -> None:
    found = saga.find(answer.command_id)
    if found is None:
        saga.note = f"{answer.message.DESCRIPTOR.name} answers no command of this saga"
        return
    step, task, question = found
    _act(saga, step, task, _ANSWERED[question](saga, step, task, answer))


def _faulted(saga: Instance, fault: inputs.Faulted) -> None:
    found = saga.find(fault.command_id)
    if found is None:
        saga.note = f"a fault answers no command of this saga: {fault.error}"
        return
    step, task, question = found
    heard_by = {Question.DO: steps.faulted, Question.UNDO: undoing.undo_faulted, Question.PROBE: probed.faulted}
    _act(saga, step, task, heard_by[question](saga, step, task, fault))


def _nothing_to_undo(saga: Instance, answer: inputs.NothingToUndo) -> None:
    found = saga.find(answer.command_id)
    if found is None or found[2] is not Question.UNDO:
        saga.note = f"nothing to undo ({answer.reason}), but no undo of this saga asked"
        return
    step, task, _ = found
    _act(saga, step, task, undoing.nothing_to_undo(saga, step, task, answer.reason))


def _timer_fired(saga: Instance, name: str) -> None:
    if name == DEADLINE:
        cancellation.deadline_passed(saga)
        return
    if reminder_fired(saga, name):
        return
    place = saga.place_of_timer(name)
    if place is None or saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPENSATING):
        saga.note = f"timer {name} came when nothing waited for it"
        return
    node, task = saga.node_at(place), saga.tasks[place]
    _act(saga, node, task, kinds.fired(saga, node, task))


def _repair(saga: Instance, given: inputs.RepairRequested) -> None:
    """An operator's act. Once the instance is resumed, what came meanwhile is applied as if it came now."""
    _act_on_all(saga, repair.carry_out(saga, given.act))
    for held in halted.released(saga):
        _apply(saga, held)
        saga.note = ""  # of the held input: the act has had its effect
    if saga.record.earlier_fingerprints:
        _carried_over(saga)


def _carried_over(saga: Instance) -> None:
    """Begin what is ready by a definition that did not begin the instance; if it is suspended, once it is resumed."""
    if saga.record.suspended:
        return
    if saga.heading == SagaRecord.RUNNING:
        _go_on(saga, tuple(range(saga.definition.closing_from)))
    elif saga.heading == SagaRecord.COMPENSATING:
        compensation.undo_next(saga)


def _unmatched(saga: Instance, input: inputs.Unmatched) -> None:
    if input.starts:
        saga.note = f"{input.type} has started this instance before; it is {status_name(saga.record)}"
    elif saga.record.definition:
        saga.note = f"{input.type} answers no command of this saga"
    else:
        saga.note = f"{input.type} starts no instance, and there is none of this key"


# --- verdicts ---


def _act_on_all(saga: Instance, found: Iterable[tuple[Node, TaskRecord, TaskVerdict]]) -> None:
    for node, task, verdict in found:
        _act(saga, node, task, verdict)


def _act(saga: Instance, node: Node, task: TaskRecord, verdict: TaskVerdict) -> None:
    if not saga.note:
        saga.moved(task)
    if verdict is NOTHING:
        return
    if task.within and verdict.came is not Came.NOTHING:
        node, task, verdict = _of_whole(saga, node, task, verdict)
    saga.begins += verdict.to_begin
    saga.undos += verdict.to_undo
    match verdict.came:
        case Came.DONE:  # first, as it comes most
            if node.role is Role.CLOSING:
                compensation.close(saga)
            else:
                _go_on(saga, kinds.next_to(saga, node))
        case Came.REFUSED:
            compensation.turn_back(saga, f"{task.path}: {verdict.why}")
        case Came.FAILED:
            _give_up(saga, node, task, verdict.why)
        case Came.OWES:
            compensation.reopen(saga)
        case Came.UNDONE:
            compensation.undo_next(saga)
        case Came.NOTHING:
            return
        case _:
            assert_never(verdict.came)


def _of_whole(
    saga: Instance, node: Node, task: TaskRecord, verdict: TaskVerdict
) -> tuple[Node, TaskRecord, TaskVerdict]:
    """What came of a task within another, as the other sees it. What the other only passes on stays of this task."""
    place = task.within - 1
    whole, whole_task = saga.definition.nodes[place], saga.tasks[place]
    came = kinds.came(saga, whole, whole_task, task, verdict)
    passed_on = came.came in (Came.REFUSED, Came.FAILED) and came.why == verdict.why
    return (node, task, came) if passed_on else (whole, whole_task, came)


def _begin_inner(saga: Instance) -> None:
    """Begin the tasks within others whose turn has come, and undo those; what comes of that may bring others."""
    while saga.begins or saga.undos:
        begins, saga.begins = saga.begins, []
        for task in begins:
            if saga.heading == SagaRecord.RUNNING and task.status == TaskRecord.WAITING:
                node = saga.node_of(task)
                _act(saga, node, task, kinds.begin(saga, node, task))
        undos, saga.undos = saga.undos, []
        for task in undos:
            if task.status == TaskRecord.OWED and task.undo.status == Exchange.UNASKED:
                node = saga.node_of(task)
                _act(saga, node, task, kinds.undo(saga, node, task))


def _give_up(saga: Instance, node: Node, task: TaskRecord, error: str) -> None:
    """The task cannot go on: turn back while that is possible, else rest, for a person to look at."""
    if saga.heading == SagaRecord.RUNNING and task.status != TaskRecord.OWED and not saga.no_way_back():
        compensation.turn_back(saga, f"{task.path}: {error}")
    else:
        saga.stick(node, task, error)
        if saga.definition.undoes_past_stuck and saga.heading == SagaRecord.COMPENSATING:
            compensation.undo_next(saga)


def _go_on(saga: Instance, candidates: tuple[int, ...]) -> None:
    """Begin those of these tasks that wait for nothing more; where none begins, see if all tasks are settled."""
    tasks, has_begun = saga.tasks, False
    for index in candidates:
        node, task = saga.definition.nodes[index], tasks[index]
        if task.status == TaskRecord.WAITING and _all_settled(saga, node.before):
            has_begun = True
            _act(saga, node, task, kinds.begin(saga, node, task))
            if saga.heading != SagaRecord.RUNNING:
                return
    if has_begun or saga.record.status != SagaRecord.RUNNING:
        return
    if _all_settled(saga, range(saga.definition.closing_from)) and not completion.owes_within(saga):
        if saga.definition.deadline_s:
            saga.timers.append(CancelTimer(DEADLINE))
        completion.complete(saga)


def _all_settled(saga: Instance, indexes: range | tuple[int, ...]) -> bool:
    tasks = saga.tasks
    return SETTLED.issuperset([tasks[index].status for index in indexes])
