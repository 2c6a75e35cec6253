"""How each run of a process must end, according to the books of its participants.

saga   COMPLETED: each step is applied once · COMPENSATED: each step with an undo is put back · STUCK: only where the
       program has something fail for good, and a dead letter or a reason shows it
relay  applied to the end, or put back from where it was refused, or stopped before a dead letter
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.exchange import counted
from runtime.saga.view import SETTLED, task_name
from runtime.store.records import Outcome
from runtime.testing.rules.ledger import Violation
from tests.proof.programs.evidence import DeedCommand, Evidence
from tests.proof.programs.program import Deed, Run, SagaPlan, StepPlan
from tests.proof.programs.sagas import RAISED

__all__ = ["check_relay", "check_saga", "is_spoiled", "relay_ending"]

_UNSETTLED = (TaskRecord.RUNNING, TaskRecord.OWED)


def check_saga(evidence: Evidence, plan: SagaPlan, run: Run) -> Iterator[Violation]:
    """All mistakes in one run of a saga."""
    record = evidence.records[run.name][0] if run.name in evidence.records else SagaRecord()
    yield from _check_start(evidence, run, bool(record.definition))
    has_undo = {step.name: step.has_undo for step in plan.steps}
    tasks = {task.path: task for task in record.tasks}
    for place, whole in enumerate(run.deeds):
        name, deeds = whole.step, run.deeds_of(place)
        is_unwanted = name in run.unwanted
        may_pass = is_unwanted or (run.ends_early and plan.detours.end_after is not None)
        for deed in deeds:
            task = tasks.get(deed.step, TaskRecord())
            may_stay = not (has_undo.get(name, False) and deed.undo_needed)
            is_chosen = deed is not whole and place in plan.detours.alternatives
            found = [*_mistakes(evidence, record, deed, task, may_stay=may_stay, is_inner=deed is not whole)]
            if place < len(plan.steps):
                found += _left_out(plan.steps[place], deed, task)
            found += _passed_over(evidence, deed, task, may_pass=may_pass or is_chosen, is_unwanted=is_unwanted)
            for what in found:
                yield Violation(*what, record.conversation or evidence.conversation(deed.name))
        if name in run.inner and name in tasks:
            for what in _whole_mistakes(plan, record, place, tasks[name], [tasks.get(one.step) for one in deeds]):
                yield Violation(*what, record.conversation)


def _check_start(evidence: Evidence, run: Run, exists: bool) -> Iterator[Violation]:
    starts = evidence.starts.get(run.name, [])
    conversation = starts[0].envelope.conversation if starts else b""
    if exists and not starts:
        yield Violation("I5", f"{run.name} runs, and no event has started it", conversation)
    if not starts or exists:
        return
    visible = any(RAISED in order.parked for order in starts) or any(order.was_given_up for order in starts)
    is_undone = run.parent and all(order.handled is not None and not _ran(order) for order in starts)
    if not is_undone and not (run.begin_raises and visible):
        yield Violation("I1", f"{run.name} was started, and is not there", conversation)


def _ran(start: DeedCommand) -> bool:
    return start.handled is not None and start.handled.outcome is Outcome.HANDLED


def _mistakes(
    evidence: Evidence, record: SagaRecord, deed: Deed, task: TaskRecord, *, may_stay: bool, is_inner: bool
) -> Iterator[tuple[str, str]]:
    """The invariant and a text for each mistake in one step."""
    entry, status = evidence.entry(deed.name), task.status
    net, word = entry.dos - entry.undos, task_name(task)
    if entry.dos > 1 or entry.undos > entry.dos:
        yield "I2", f"{deed.name} was applied {entry.dos} times and put back {entry.undos} times"
    if status == TaskRecord.DONE and net != 1 and not task.by_hand:
        yield "I2", f"{deed.name} is DONE, and {net} of it is in force"
    if status in (TaskRecord.REFUSED, TaskRecord.UNDONE) and net != 0 and not task.by_hand.startswith("mark-"):
        yield "I5", f"{deed.name} is {word}, and {net} of it is in force"
    if status == TaskRecord.WAITING and (entry.dos or evidence.orders.get((deed.name, False))):
        yield "I5", f"{deed.name} was never asked for, and was sent or applied"
    if status == TaskRecord.SKIPPED and not may_stay and evidence.orders.get((deed.name, False)):
        yield "I5", f"{deed.name} was skipped, and had to be put back"
    if status in _UNSETTLED and record.status != SagaRecord.STUCK:
        yield "I4", f"{deed.name} is {word} in a saga that is {SagaRecord.Status.Name(record.status)}"
    is_closing = deed.step.startswith("closing")
    expected = {SagaRecord.COMPLETED: not is_closing, SagaRecord.COMPENSATED: is_closing}.get(record.status)
    if expected and status not in SETTLED and not is_inner:
        yield "I4", f"{deed.name} is {word} in a saga that is {SagaRecord.Status.Name(record.status)}"


def _whole_mistakes(
    plan: SagaPlan, record: SagaRecord, place: int, whole: TaskRecord, inner: Sequence[TaskRecord | None]
) -> Iterator[tuple[str, str]]:
    """A list is done once all its items are, but for those that may fail; alternatives, once one is."""
    done = sum(one is not None and one.status in (TaskRecord.DONE, TaskRecord.LEFT_OUT) for one in inner)
    listed = plan.detours.lists.get(place)
    least = 1 if listed is None else len(inner) - listed.tolerate
    if whole.status == TaskRecord.DONE and (done < least or (listed is None and done > 1)):
        yield "I5", f"{whole.path} is done, and {done} of the {len(inner)} within it are"
    if record.status == SagaRecord.COMPLETED and whole.status not in SETTLED:
        yield "I4", f"{whole.path} is {task_name(whole)} in a saga that has completed"


def _left_out(step: StepPlan, deed: Deed, task: TaskRecord) -> Iterator[tuple[str, str]]:
    """Only what says so, or an operator, is left out; without an operator only once its budget is spent."""
    if task.status != TaskRecord.LEFT_OUT or task.by_hand:
        return
    if step.when_spent != "skip":
        yield "I6", f"{deed.name} was left out, and nothing declares that"
    if counted(task.do) < step.budget.asks_max and not deed.do_raises:
        yield "I4", f"{deed.name} was left out after {task.do.attempts} asks, of {step.budget.asks_max}"


def _passed_over(
    evidence: Evidence, deed: Deed, task: TaskRecord, *, may_pass: bool, is_unwanted: bool
) -> Iterator[tuple[str, str]]:
    """What a choice or an early end passes over is never asked for, and nothing else is passed over."""
    asked = bool(evidence.orders.get((deed.name, False))) or evidence.entry(deed.name).dos > 0
    if task.status == TaskRecord.PASSED and not may_pass:
        yield "I6", f"{deed.name} was passed over, and its run wants it"
    if asked and (task.status == TaskRecord.PASSED or is_unwanted):
        yield "I6", f"{deed.name} was asked for, and its run does not want it"


def is_spoiled(evidence: Evidence, run: Run, reason: str) -> bool:
    """Whether a saga may be stuck for this reason: its program makes something fail, and an operator can see it."""
    of_undo = reason.startswith("undo of step ")
    name = reason.removeprefix("undo of ").removeprefix("step ").partition(":")[0]
    deeds = [one for place in range(len(run.deeds)) for one in run.deeds_of(place)]
    deed = next((one for one in deeds if one.step == name), None)
    if deed is None:
        return False
    raises = deed.undo_raises if of_undo else deed.do_raises or deed.keep_raises
    if raises and RAISED in reason:
        return True
    script = deed.undo if of_undo else deed.do
    return script.is_poison and evidence.given_up(deed.name, of_undo=of_undo)


# --- relays ---


def relay_ending(evidence: Evidence, run: Run) -> str:
    """`completed`, `put back`, or `halted`; empty if it was never started."""
    if run.name not in evidence.starts:
        return ""
    entries = [evidence.entry(deed.name) for deed in run.deeds]
    if all(entry.dos == 1 and entry.undos == 0 for entry in entries):
        return "completed"
    refused = any(entry.refused for entry in entries)
    return "put back" if refused and all(entry.dos == entry.undos for entry in entries) else "halted"


def check_relay(evidence: Evidence, run: Run) -> Iterator[Violation]:
    """All mistakes in one run of the relay."""
    for what in _relay_mistakes(evidence, run):
        yield Violation(*what, evidence.conversation(run.deeds[0].name))


def _relay_mistakes(evidence: Evidence, run: Run) -> Iterator[tuple[str, str]]:
    deeds, entries = run.deeds, [evidence.entry(deed.name) for deed in run.deeds]
    for deed, entry in zip(deeds, entries, strict=True):
        if entry.dos > 1 or entry.undos > entry.dos:
            yield "I2", f"{deed.name} was applied {entry.dos} times and put back {entry.undos} times"
    if run.name not in evidence.starts:
        if any(entry.dos for entry in entries):
            yield "I5", f"{run.name} has effects, and was never started"
        return
    reached = next((index for index, entry in enumerate(entries) if not entry.dos), len(deeds))
    if any(entry.dos or entry.refused for entry in entries[reached + 1 :]):
        yield "I5", f"{run.name} went on after {deeds[reached].name}, which did not happen"
    if reached == len(deeds):
        if any(entry.undos for entry in entries):
            yield "I5", f"{run.name} came to its end, and some of it was put back"
    elif entries[reached].refused:
        yield from _put_back(evidence, deeds[:reached])
    elif not _was_given_up(evidence, deeds[reached], of_undo=False):
        yield "I4", f"{run.name} stopped before {deeds[reached].name}, and nobody can see why"


def _put_back(evidence: Evidence, deeds: Sequence[Deed]) -> Iterator[tuple[str, str]]:
    for deed in reversed(deeds):
        entry = evidence.entry(deed.name)
        if entry.dos == entry.undos:
            continue
        if not _was_given_up(evidence, deed, of_undo=True):
            yield "I5", f"{deed.name} stays in force after its relay was refused, and nobody can see why"
        return


def _was_given_up(evidence: Evidence, deed: Deed, *, of_undo: bool) -> bool:
    script = deed.undo if of_undo else deed.do
    return script.is_poison and evidence.given_up(deed.name, of_undo=of_undo)
