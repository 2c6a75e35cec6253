"""What no committed state of a saga may say, whatever has led to it. Each commit of each instance is checked.

    Ledger ──the row before, the row after──▶ SagaRules.broken ──▶ (invariant, text)

The rules know a definition and two records. They know nothing of the interpreter that made one from the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runtime.durable.residence.suspects import DEATHS
from runtime.envelope import Address, address_of
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.durable_pb2 import Timers
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.definition import Definition
from runtime.saga.inner import inner_node
from runtime.saga.node import Node, Role, StepDefinition
from runtime.saga.summary import SUSPENDED
from runtime.saga.view import SETTLED, Phase, phase_of, status_name, task_name
from runtime.store.records import ActorRow, HistoryRow, Outcome
from runtime.store.summaries import ActorSummary
from runtime.testing.rules.carrying_rules import badly_carried
from runtime.testing.rules.list_rules import badly_ordered
from runtime.testing.rules.summary_rules import badly_dated

__all__ = ["SagaRules"]

Broken = Iterator[tuple[str, str]]
"""Invariant and text."""

_ASKING = (Phase.ASKED, Phase.UNDOING)
_BACK = (TaskRecord.OWED, TaskRecord.UNDONE, TaskRecord.SKIPPED, TaskRecord.GIVEN_UP)
_AT_PEACE = (TaskRecord.WAITING, TaskRecord.REFUSED, TaskRecord.UNDONE, TaskRecord.SKIPPED, TaskRecord.PASSED)
_TURNED = (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)
_GOING = (SagaRecord.RUNNING, SagaRecord.COMPENSATING)
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


class SagaRules:
    """The rules for the sagas of one deployment, in all its versions."""

    def __init__(self) -> None:
        self._definitions: dict[bytes, Definition] = {}  # By fingerprint, which covers all that the rules look at.
        self._without_timer: set[Address] = set()  # One of their timers was given up on, since nodes had died over it.

    def add(self, definitions: Iterable[Definition]) -> None:
        self._definitions.update((one.fingerprint, one) for one in definitions)

    def broken(self, before: ActorRow | None, after: ActorRow, history: Sequence[HistoryRow] = ()) -> Broken:
        """The rules that the newer row breaks. It was committed with this history."""
        if after.state_type == DeadlineRecord.DESCRIPTOR.full_name:
            yield from _badly_told_deadline(after)
        if after.state_type != SagaRecord.DESCRIPTOR.full_name:
            return
        record = SagaRecord.FromString(after.state)
        definition = self._definitions.get(record.fingerprint)
        if definition is None:
            return
        where = address_of(*after.address)
        yield from _badly_told(where, record, after.summary)
        yield from badly_dated(where, record, None if before is None else before.summary, after.summary)
        earlier = SagaRecord.FromString(before.state) if before is not None else SagaRecord()
        if earlier.fingerprint and earlier.fingerprint != record.fingerprint:
            for invariant, text in badly_carried(definition, earlier, record):
                yield invariant, f"{where}: {text}"
            earlier = SagaRecord(status=earlier.status)  # Its tasks are those of the older definition.
        for invariant, text in _broken(definition, earlier, record):
            yield invariant, f"{where}: {text}"
        if any(row.outcome is Outcome.FAULTED and DEATHS in row.error for row in history):
            self._without_timer.add(after.address)
        yield from _badly_timed(where, definition, record, after, may_lack_one=after.address in self._without_timer)


def _badly_told(where: str, record: SagaRecord, told: ActorSummary | None) -> Broken:
    """The columns that listings read say what the record says. They leave names out where there are many."""
    tasks = () if record.status in _ENDED else record.tasks
    step = ", ".join(task.path for task in tasks if task.status in (TaskRecord.RUNNING, TaskRecord.OWED))
    if told is None or not (told.step == step or (told.step.endswith("...") and step.startswith(told.step[:-3]))):
        yield "I11", f"{where} is at {step or 'no step'}, and its row says {told}"
    elif (told.status, told.version) != (_status(record), record.fingerprint.hex()):
        yield "I11", f"{where} is {_status(record)}, and its row says {told}"
    elif (told.started_at_s, told.progressed_at_s) != (record.started_at_s, record.last_progress_at_s):
        yield "I11", f"{where} moved at {record.last_progress_at_s}, and its row says {told}"


def _badly_told_deadline(after: ActorRow) -> Broken:
    """A record to which nothing has come tells nothing."""
    record, told = DeadlineRecord.FromString(after.state), after.summary
    status, where = DeadlineRecord.Status.Name(record.status).lower(), address_of(*after.address)
    says = ("none", 0.0) if told is None else (told.status, told.progressed_at_s)
    if says != (status, record.due_at_s):
        yield "I11", f"{where} is {status}, due at {record.due_at_s}, and its row says {told}"


def _status(record: SagaRecord) -> str:
    return SUSPENDED if record.suspended else status_name(record)


def _badly_timed(
    where: str, definition: Definition, record: SagaRecord, after: ActorRow, *, may_lack_one: bool
) -> Broken:
    """A saga that has asked, and goes on, must not wait for ever. A saga that has ended must have no timer."""
    if record.status in _ENDED and after.timers:
        yield "I10", f"{where} has ended, and a timer of it still runs"
    timed = [(node, task) for node, task in _tasks(definition, record) if _is_timed(task)]
    if record.status in _GOING and timed and not may_lack_one and not record.suspended:
        timers = {one.name for one in Timers.FromString(after.timers).timers}
        for node, task in timed:
            what = "its time" if phase_of(task) is Phase.TIMED else f"the answer of step {task.path}"
            if node.timer not in timers:
                yield "I10", f"{where} waits for {what}, and no timer of that runs"


def _tasks(definition: Definition, record: SagaRecord) -> Iterator[tuple[Node, TaskRecord]]:
    """Every task with its node. Those within others come last."""
    nodes, tasks = definition.nodes, record.tasks
    yield from zip(nodes, tasks, strict=False)
    for task in tasks[len(nodes) :]:
        yield inner_node(nodes[task.within - 1], task), task


def _is_timed(task: TaskRecord) -> bool:
    """Whether a timer of it has to run: its answer is open, it is to be asked again, or it is a wait."""
    undo_works = task.status == TaskRecord.OWED and task.undo.status == Exchange.WORKING
    return undo_works or phase_of(task) in (Phase.ASKED, Phase.WORKING, Phase.TIMED, Phase.PROBED)


def _broken(definition: Definition, earlier: SagaRecord, record: SagaRecord) -> Broken:
    if record.status == SagaRecord.RUNNING:
        yield from _too_early(definition.flow_nodes, record)
    elif record.status == SagaRecord.COMPLETED:
        undone = [node.name for node in definition.flow_nodes if record.tasks[node.index].status not in SETTLED]
        if undone:
            yield "I4", f"it has completed without {', '.join(undone)}"
        owed = [task.path for task in _within(definition, record) if task.status == TaskRecord.OWED]
        if owed:
            yield "I4", f"it has completed, and owes the undo of {', '.join(owed)}"
    elif record.status in _TURNED:
        yield from _badly_turned(definition, earlier, record)
    yield from badly_ordered(definition, earlier, record)
    yield from _refused_without_a_word(definition, record)
    yield from _backwards(definition, earlier, record)
    yield from _tried_again(earlier, record)
    yield from _sent_while_suspended(earlier, record)


def _sent_while_suspended(earlier: SagaRecord, record: SagaRecord) -> Broken:
    if not (earlier.suspended and record.suspended) or len(earlier.repairs) != len(record.repairs):
        return  # An operator had it go on meanwhile.
    for before, taken in zip(earlier.tasks, record.tasks, strict=False):
        asked = ((taken.do, before.do), (taken.undo, before.undo), (taken.probe, before.probe))
        if any(now.attempts > then.attempts for now, then in asked):
            yield "I6", f"it is suspended, and step {taken.path} asks"


def _within(definition: Definition, record: SagaRecord) -> Sequence[TaskRecord]:
    """The tasks within others."""
    return record.tasks[len(definition.nodes) :]


def _flow(definition: Definition, record: SagaRecord) -> Sequence[TaskRecord]:
    """All tasks but those that close a compensation."""
    return [*record.tasks[: definition.closing_from], *_within(definition, record)]


def _too_early(nodes: Iterable[Node], record: SagaRecord) -> Broken:
    for node in nodes:
        waits_for = [record.tasks[index].path for index in node.before if record.tasks[index].status not in SETTLED]
        if waits_for and record.tasks[node.index].status not in (TaskRecord.WAITING, TaskRecord.PASSED):
            yield "I6", f"step {node.name} was begun before {', '.join(waits_for)}"


def _badly_turned(definition: Definition, earlier: SagaRecord, record: SagaRecord) -> Broken:
    if record.pivot_passed:
        yield "I6", "it has turned back although its pivot has passed"
    undoing_before = {task.path for task in earlier.tasks if phase_of(task) is Phase.UNDOING}
    for step in definition.flow_steps:
        if phase_of(record.tasks[step.index]) is not Phase.UNDOING:
            continue
        if definition.undoes_past_stuck and step.name in undoing_before:
            continue  # An operator may have had a stuck undo behind it tried again meanwhile.
        later = [record.tasks[index] for index in step.all_after]
        owing = [task.path for task in later if _holds_up(definition, task)]
        if owing:
            yield "I6", f"step {step.name} is being undone before {', '.join(owing)}"
    if record.status == SagaRecord.COMPENSATED:
        left = [task.path for task in _flow(definition, record) if task.status not in _AT_PEACE]
        silent = [step.name for step in definition.closing_steps if record.tasks[step.index].status not in SETTLED]
        if left or silent:
            yield "I4", f"it says that it is compensated, without {', '.join(left + silent)}"


def _holds_up(definition: Definition, later: TaskRecord) -> bool:
    return later.status == TaskRecord.OWED and not (later.stuck and definition.undoes_past_stuck)


def _refused_without_a_word(definition: Definition, record: SagaRecord) -> Broken:
    for step, taken in _tasks(definition, record):
        if not isinstance(step, StepDefinition) or step.role is Role.CLOSING:
            continue
        if taken.status in _BACK and taken.do.outcome in step.refusals:
            yield "I6", f"step {step.name} was refused, and is undone all the same"
        if taken.status == TaskRecord.REFUSED and taken.do.earlier_ids:
            yield "I11", f"step {step.name} counts as refused, and another command of it is without an answer"
        is_absent = step.probe is not None and taken.probe.status == Exchange.DONE
        if taken.status == TaskRecord.REFUSED and taken.do.outcome not in step.refusals and not is_absent:
            yield "I11", f"step {step.name} counts as refused, and its participant has not said so"


def _backwards(definition: Definition, earlier: SagaRecord, record: SagaRecord) -> Broken:
    """A saga that has turned back or ended never goes forward again."""
    is_undone = record.asker.undoes and not record.pivot_passed  # by its parent
    goes_on = earlier.status == SagaRecord.COMPLETED and record.status != SagaRecord.COMPLETED and not is_undone
    if goes_on and not any(task.status == TaskRecord.OWED for task in _within(definition, record)):
        yield "I4", "it had completed, and goes on"
    if earlier.status in _TURNED and record.status in (SagaRecord.RUNNING, SagaRecord.COMPLETED):
        yield "I6", "it had turned back, and goes forward again"
    for step, taken in zip(definition.flow_nodes, earlier.tasks, strict=False):
        now = record.tasks[step.index]
        if taken.status == TaskRecord.PASSED != now.status or (taken.HasField("holds") and taken.holds != now.holds):
            yield "I6", f"{step.name} was decided, and is decided otherwise now"
    for taken, now in zip(earlier.tasks, record.tasks, strict=False):
        if taken.status in _BACK and now.status not in _BACK:
            yield "I6", f"step {now.path} was {task_name(taken)}, and is {task_name(now)}"


def _tried_again(earlier: SagaRecord, record: SagaRecord) -> Broken:
    """A stuck step that is asked or undone again begins with a fresh budget."""
    for before, taken in zip(earlier.tasks, record.tasks, strict=False):
        if before.stuck and not taken.stuck and phase_of(taken) in _ASKING:
            asked = taken.undo if taken.status == TaskRecord.OWED else taken.do
            tries = asked.attempts
            if tries > 1 and asked.status == Exchange.OPEN:  # else an answer has come, late, to what was asked before
                yield "I4", f"step {taken.path} was stuck and is tried again, and counts as tried {tries} times already"
