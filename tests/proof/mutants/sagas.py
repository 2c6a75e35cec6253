"""Mutants of sagas: the way forward, the way back, and the matching of answers to steps."""

from __future__ import annotations

from runtime.saga import cancellation, compensation, interpreter
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.instance import Instance
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["SAGAS"]

SAGAS = (
    # --- the way back ---
    Mutant(
        "undo-in-forward-order",
        "A saga sends its undos in forward order, the first step first.",
        (
            Edit(compensation._undo_next, "reversed(saga.definition.flow_steps)", "saga.definition.flow_steps"),
            Edit(compensation._undo_next, "for index in step.all_after)", "for index in step.before)"),
        ),
        workload="random",
    ),
    Mutant(
        "undos-all-at-once",
        "An undo does not wait for the confirmation of the later step's undo.",
        (
            Edit(
                compensation._undo_next,
                "begun or any(saga.steps[index].status in OWING for index in step.all_after)",
                "begun",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "undo-of-a-step-never-sent",
        "Steps whose command was never sent are undone as well.",
        (
            Edit(
                compensation.turn_back,
                "if progress.status in OPEN or progress.status == StepRecord.DONE:",
                "if progress.status in OPEN or progress.status in (StepRecord.DONE, StepRecord.WAITING):\n"
                "            progress.address = progress.address or 'nowhere/' + step.name",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "undo-of-a-refused-step",
        "A step that was refused is undone as well.",
        (
            Edit(
                compensation.turn_back,
                "if progress.status in OPEN or progress.status == StepRecord.DONE:",
                "if progress.status in OPEN or progress.status in (StepRecord.DONE, StepRecord.REFUSED):",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "open-steps-not-undone",
        "A step without an answer yet is not undone when its saga turns back.",
        (
            Edit(
                compensation.turn_back,
                "if progress.status in OPEN or progress.status == StepRecord.DONE:",
                "if progress.status == StepRecord.DONE:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "compensated-too-early",
        "A saga calls itself compensated before an undo of it was confirmed.",
        (
            Edit(
                compensation._undo_next,
                "all(progress.status not in OWING for",
                "all(progress.status != StepRecord.OWED for",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "undo-not-retried",
        "An undo that its participant gave up is not sent again.",
        (
            Edit(
                compensation.undo_faulted,
                "saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(progress.undo_attempts)))",
                "saga.note = 'given up'",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "undo-fault-counts-as-undone",
        "An undo that its participant gave up counts as done.",
        (
            Edit(
                compensation.undo_faulted,
                "progress.status = StepRecord.OWED\n",
                "progress.status = StepRecord.OWED\n"
                "    if progress.undo_attempts > 1:\n        return _undone(saga, step, progress, '')\n",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "closing-not-awaited",
        "A saga ends as compensated before its closing commands are confirmed.",
        (
            Edit(
                compensation.close,
                "if progress.status != StepRecord.DONE:",
                "if progress.status == StepRecord.WAITING:",
            ),
        ),
        workload="random",
    ),
    # --- no way back ---
    Mutant(
        "pivot-ignored",
        "A saga can be turned back after its pivot.",
        (Edit(Instance.no_way_back, "if self.record.pivot_passed:", "if False:"),),
        workload="random",
    ),
    Mutant(
        "deadline-after-pivot-turns-back",
        "The deadline turns a saga back even after its pivot.",
        (
            Edit(
                cancellation.deadline_passed,
                "elif status == SagaRecord.STUCK or saga.no_way_back():",
                "elif status == SagaRecord.STUCK:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "cancel-accepted-in-words",
        "A cancellation is accepted, and the saga goes on.",
        (
            Edit(
                cancellation.cancel,
                'compensation.turn_back(saga, f"cancelled: {reason}" if reason else "cancelled")',
                "record.reason = reason",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "cancel-after-the-end",
        "A cancellation of a saga that has completed is accepted.",
        (Edit(cancellation._cancel_refusal, "if status == SagaRecord.COMPLETED:", "if False:"),),
        workload="random",
    ),
    # --- answers ---
    Mutant(
        "unknown-answered-as-failed",
        "A step that stays silent counts as refused: nothing of it is undone.",
        (Edit(interpreter._unknown, "progress.status = StepRecord.UNKNOWN", "progress.status = StepRecord.REFUSED"),),
        workload="random",
    ),
    Mutant(
        "late-answer-revives-step",
        "An answer after its saga turned back counts: the step is done, and its undo is forgotten.",
        (
            Edit(
                interpreter._answered,
                "if progress.status not in OPEN:",
                "if progress.status not in OPEN | compensation.OWING:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "fault-is-a-refusal",
        "A step that its participant gave up counts as refused, though it may have run in part.",
        (
            Edit(
                interpreter._faulted,
                "_unknown(saga, step, progress, fault.error)",
                "_unknown(saga, step, progress, fault.error)\n        progress.status = StepRecord.REFUSED",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "earlier-answer-taken-for-last",
        "A refusal of an earlier command decides about a step that was asked again since.",
        (
            Edit(
                interpreter._refused,
                "if last_is_open or progress.earlier_ids or (not is_last and "
                "_in_doubt(progress, progress.command_id)):",
                "if False:",
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "answers-by-address",
        "An answer counts for any step whose command went to the same participant.",
        (
            Edit(
                Instance.find,
                "if command_id == progress.command_id:",
                "if command_id in [one.command_id for one in self.steps if one.address == progress.address]:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "fault-never-asked-again",
        "A step past the pivot is not asked again after its participant gave it up.",
        (
            Edit(
                interpreter._faulted,
                "saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(progress.attempts)))",
                "pass",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "step-timer-never-cancelled",
        "The timer of a step runs on after its answer.",
        (Edit(interpreter._settle, "saga.timers.append(CancelTimer(step.timer))", "pass"),),
        workload="random",
    ),
    Mutant(
        "join-does-not-wait",
        "A step begins when only one of the steps before it is done.",
        (
            Edit(
                interpreter._go_on,
                "_all_done(saga, step.before)",
                "(not step.before or any(steps[one].status == StepRecord.DONE for one in step.before))",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "completed-with-a-branch-open",
        "A saga counts as completed when one of its branches is.",
        (
            Edit(
                interpreter._go_on,
                "not candidates and _all_done(saga, range(saga.definition.closing_from))",
                "not candidates",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "second-start-starts-anew",
        "A second event that starts an instance starts it from the beginning.",
        (
            Edit(SagaBehaviour._unasked, "if start is None or record.definition:", "if start is None:"),
            Edit(interpreter._start, "if record.definition:", "if False:"),
        ),
        workload="random",
    ),
    Mutant(
        "one-answer-frees-all-that-is-stuck",
        "A saga with two stuck steps goes on when the missing answer of one has come.",
        (Edit(Instance.unstick, "if any(step.stuck for step in self.steps):", "if False:"),),
        workload="random",
    ),
    Mutant(
        "facts-not-kept",
        "What `on_answer` keeps of an answer is forgotten at the end of its turn.",
        (Edit(Instance.keep, "self.record.state = state.SerializeToString()", "pass"),),
    ),
    # --- versions ---
)
