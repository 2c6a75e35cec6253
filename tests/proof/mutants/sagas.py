"""Mutants of sagas: the way forward, the way back, and the matching of answers to steps."""

from __future__ import annotations

from runtime.saga import author, cancellation, compensation, exchange, frozen, interpreter
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.instance import Instance
from runtime.saga.nodes import each, end, first_of, past_pivot, undoing, wait, when, within
from runtime.saga.nodes import step as steps
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["SAGAS"]

SAGAS = (
    # --- the way back ---
    Mutant(
        "undo-in-forward-order",
        "A saga sends its undos in forward order, the first step first.",
        (
            Edit(compensation.undo_next, "reversed(saga.definition.flow_nodes)", "saga.definition.flow_nodes"),
            Edit(compensation.undo_next, "for index in node.all_after)", "for index in node.before)"),
        ),
        workload="random",
    ),
    Mutant(
        "undos-all-at-once",
        "An undo does not wait for the confirmation of the later step's undo.",
        (
            Edit(
                compensation.undo_next,
                "begun or any(_holds_up(saga, index) for index in node.all_after)",
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
                "if task.status in (TaskRecord.RUNNING, TaskRecord.DONE):",
                "if task.status in (TaskRecord.RUNNING, TaskRecord.DONE, TaskRecord.WAITING):\n"
                "            task.address = task.address or 'nowhere/' + step.name",
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
                "if task.status in (TaskRecord.RUNNING, TaskRecord.DONE):",
                "if task.status in (TaskRecord.RUNNING, TaskRecord.DONE, TaskRecord.REFUSED):",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "open-steps-not-undone",
        "A step without an answer yet is not undone when its saga turns back.",
        (
            Edit(
                compensation._owe,
                "if task.status in (TaskRecord.RUNNING, TaskRecord.DONE):",
                "if task.status == TaskRecord.DONE:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "compensated-too-early",
        "A saga calls itself compensated before an undo of it was confirmed.",
        (
            Edit(
                compensation.undo_next,
                "all(task.status != TaskRecord.OWED for",
                "all(task.status != TaskRecord.OWED or task.undo.status == Exchange.OPEN for",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "undo-not-retried",
        "An undo that its participant gave up is not sent again.",
        (
            Edit(
                undoing._ask_later,
                "saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(asks)))",
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
                undoing.undo_faulted,
                "exchange.faulted(task.undo, fault.command_id, fault.error)\n",
                "exchange.faulted(task.undo, fault.command_id, fault.error)\n"
                "    if task.undo.attempts > 1:\n        return _undone(saga, step, task, '')\n",
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
                "if task.status not in SETTLED:",
                "if task.status == TaskRecord.WAITING:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "stuck-undo-holds-up-the-others",
        "An independent saga waits behind a stuck undo, like a strict one.",
        (
            Edit(
                compensation._holds_up, "not (saga.definition.undoes_past_stuck and _rests(saga, later, place))", "True"
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "strict-saga-undoes-past-what-is-stuck",
        "A strict saga undoes earlier steps although a later undo is stuck.",
        (Edit(compensation._holds_up, "saga.definition.undoes_past_stuck and _rests(", "_rests("),),
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
        (Edit(cancellation.refusal_of, "if status == SagaRecord.COMPLETED:", "if False:"),),
        workload="random",
    ),
    # --- answers ---
    Mutant(
        "unknown-answered-as-failed",
        "A step that stays silent counts as refused: nothing of it is undone.",
        (Edit(steps._unclear, "exchange.unclear(task.do, error)", "task.status = TaskRecord.REFUSED"),),
        workload="random",
    ),
    Mutant(
        "late-answer-revives-step",
        "An answer after its saga turned back counts: the step is done, and its undo is forgotten.",
        (
            Edit(
                steps.hear,
                "if task.status != TaskRecord.RUNNING:",
                "if task.status not in (TaskRecord.RUNNING, TaskRecord.OWED):",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "fault-is-a-refusal",
        "A step that its participant gave up counts as refused, though it may have run in part.",
        (
            Edit(
                steps._faulted,
                "return _ask_later(",
                "task.status = task.status if step.retriable else TaskRecord.REFUSED\n    return _ask_later(",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "earlier-answer-taken-for-last",
        "A refusal of an earlier command decides about a step that was asked again since.",
        (
            Edit(
                exchange.refused,
                "if last_decides or exchange.earlier_ids or (not is_last and "
                "_in_doubt(exchange, exchange.command_id)):",
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
                "if command_id == task.do.command_id:",
                "if command_id in [one.do.command_id for one in self.tasks if one.address == task.address]:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "fault-never-asked-again",
        "A step past the pivot is not asked again after its participant gave it up.",
        (
            Edit(
                steps._ask_later,
                "saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(asks)))",
                "pass",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "step-timer-never-cancelled",
        "The timer of a step runs on after its answer.",
        (Edit(steps.settle, "saga.timers.append(CancelTimer(step.timer))", "pass"),),
        workload="random",
    ),
    Mutant(
        "join-does-not-wait",
        "A step begins when only one of the steps before it is done.",
        (
            Edit(
                interpreter._go_on,
                "_all_settled(saga, node.before)",
                "(not node.before or any(tasks[one].status == TaskRecord.DONE for one in node.before))",
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
                "if _all_settled(saga, range(saga.definition.closing_from)) and not completion.owes_within(saga):",
                "if True:",
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
        (Edit(Instance.unstick, "any(task.stuck for task in self.tasks)", "False"),),
        workload="random",
    ),
    Mutant(
        "facts-not-kept",
        "What `on_answer` keeps of an answer is forgotten at the end of its turn.",
        (Edit(author.change, "record.state = body", "pass"),),
    ),
    # --- the state that an undo is given ---
    Mutant(
        "undo-given-the-present-state",
        "An undo is made from the state as it is when the saga turns back, not as it was when the step was done.",
        (Edit(undoing._ask_undo, "frozen.state_for(saga.record, task)", "saga.record.state"),),
        workload="random",
    ),
    Mutant(
        "undo-given-the-last-replaced-state",
        "An undo is made from the state that was replaced last, not from the one that its task names.",
        (Edit(frozen.state_for, "record.earlier_states[: task.undo_state]", "record.earlier_states"),),
        workload="random",
    ),
    # --- past the pivot ---
    Mutant(
        "nothing-comes-after-what-is-left-out",
        "What comes after a step that is left out is never begun, and the saga never completes.",
        (Edit(past_pivot._left_out, "return DONE", "return NOTHING"),),
        workload="explorer",
    ),
    Mutant(
        "asked-on-without-a-timer",
        "A step that is to be asked for ever is asked no more once its budget is spent.",
        (
            Edit(
                past_pivot._asked_on,
                "saga.timers.append(SetTimer(step.timer, saga.now_s + step.pause_s(asks)))",
                "pass",
            ),
        ),
        workload="explorer",
    ),
    # --- waits, choices, ends ---
    Mutant(
        "choice-takes-the-other-branch",
        "A choice passes over the branch that it has taken.",
        (
            Edit(
                when._passed,
                "when.otherwise if task.holds else when.then",
                "when.then if task.holds else when.otherwise",
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "choice-takes-both-branches",
        "A choice leaves the other branch to begin as well.",
        (Edit(when.begin, "saga.set_status(saga.tasks[index], TaskRecord.PASSED)", "pass"),),
        workload="explorer",
    ),
    Mutant(
        "choice-forgets-what-comes-after",
        "What comes after a branch that is passed over is never begun.",
        (Edit(when.next_to, "return tuple(dict.fromkeys((*when.after, *after)))", "return when.after"),),
        workload="explorer",
    ),
    Mutant(
        "end-passes-over-what-runs",
        "An early end passes over what is under way, too.",
        (
            Edit(
                end.begin,
                "saga.tasks[node.index].status == TaskRecord.WAITING",
                "saga.tasks[node.index].status in (TaskRecord.WAITING, TaskRecord.RUNNING)",
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "wait-without-its-timer",
        "A wait sets no timer, and so never ends.",
        (Edit(wait.begin, "saga.timers.append(SetTimer(wait.timer, due_at_s))", "pass"),),
        workload="explorer",
    ),
    Mutant(
        "wait-outlives-turning-back",
        "The timer of a wait runs on when its saga turns back.",
        (Edit(compensation._owe, "if task.status == TaskRecord.RUNNING:", "if node.is_undoable:"),),
        workload="explorer",
    ),
    # --- lists, alternatives ---
    Mutant(
        "list-is-done-before-its-items",
        "A list counts as done while items of it have not begun.",
        (Edit(each._go_on, "if not under_way and not waiting:", "if not under_way:"),),
        workload="random",
    ),
    Mutant(
        "item-done-without-is-not-undone",
        "An item, or an alternative, that has failed and is done without is not undone.",
        (Edit(within.give_up, "if may_have else", "if False else"),),
        workload="random",
    ),
    Mutant(
        "list-in-order-is-undone-forward",
        "The items of a list in order are undone in the order in which they were done.",
        (Edit(within.UndoOrder.next, "holding[-1:]", "holding[:1]"),),
        workload="random",
    ),
    Mutant(
        "list-in-order-is-undone-at-once",
        "The items of a list in order are undone side by side.",
        (Edit(each._undo_order, "each.at_once, each.in_order", "len(saga.tasks), False"),),
        workload="random",
    ),
    Mutant(
        "alternate-step-is-never-asked",
        "What fails past the pivot is for a person, although there is an alternate step.",
        (Edit(first_of._is_final, "if first_of.role is not Role.RETRIABLE:", "if True:"),),
        workload="random",
    ),
    Mutant(
        "list-is-undone-before-its-items",
        "A list counts as undone once the undos of its items are sent.",
        (
            Edit(
                within.undo,
                "if one.status == TaskRecord.OWED]",
                "if one.status == TaskRecord.OWED and one.undo.status == Exchange.UNASKED]",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "items-forgotten-on-the-way-back",
        "A saga that turns back does not undo what is within lists and alternatives.",
        (
            Edit(
                compensation.turn_back,
                "if _owe(saga, task, saga.node_of(task))",
                "if task.status == TaskRecord.OWED",
            ),
        ),
        workload="random",
    ),
    # --- versions ---
)
