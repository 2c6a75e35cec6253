"""Mutants of lists, alternatives and approvals: what may be under way at once, what is enough, and who has decided."""

from __future__ import annotations

from runtime.saga.nodes import approval, child, each, first_of
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["WHOLES"]

WHOLES = (
    Mutant(
        "next-alternative-before-the-undo",
        "The next alternative is asked while the one before it is still to be undone.",
        (Edit(first_of._next, "one.status in _UNDER_WAY", "one.status == TaskRecord.RUNNING"),),
        workload="explorer",
    ),
    Mutant(
        "alternatives-from-the-last",
        "The alternatives are asked from the last one to the first.",
        (
            Edit(
                first_of._next,
                "for one in inner if one.status == TaskRecord.WAITING",
                "for one in reversed(inner) if one.status == TaskRecord.WAITING",
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "more-items-than-at-once",
        "A list begins as many items as it may have under way, however many are under way already.",
        (Edit(each._go_on, "max(each.at_once - under_way, 0)", "each.at_once"),),
        workload="explorer",
    ),
    Mutant(
        "lost-items-not-counted",
        "A list does without each item that fails, however many it has done without.",
        (Edit(each._lost, "lost = 1 + sum(", "lost = 1 + 0 * sum("),),
        workload="explorer",
    ),
    Mutant(
        "enough-with-an-item-under-way",
        "Once enough items are done, the list goes on without a look at those under way.",
        (
            Edit(each._do_without, "if one.status == TaskRecord.RUNNING:", "if False:"),
            Edit(each._go_on, "if not under_way and not waiting:", "if not waiting:"),
        ),
        workload="explorer",
    ),
    Mutant(
        "approval-of-anything",
        "An approval counts whatever it names as what was looked at.",
        (Edit(approval.refusal, "if act.digest != asked:", "if False:"),),
        workload="explorer",
    ),
    Mutant(
        "anybody-may-approve",
        "Whether somebody may decide is asked, and not heeded.",
        (Edit(approval.refusal, 'return "" if may is True else', 'return "" if True else'),),
        workload="explorer",
    ),
    Mutant(
        "silence-counts-as-a-yes",
        "An approval whose time is over counts as given.",
        (Edit(approval.fired, "if not node.goes_on:", "if False:"),),
        workload="explorer",
    ),
    Mutant(
        "approved-and-still-stuck",
        "What was declined where there is no way back leaves its saga stuck once it is approved after all.",
        (Edit(approval.decided, "if task.stuck:", "if False:"),),
        workload="explorer",
    ),
    Mutant(
        "child-that-may-not-stay-does",
        "A child that cannot be undone is let be, although its saga does not say that it may stay.",
        (Edit(child._stays, "if not node.may_stay:", "if False:"),),
        workload="explorer",
    ),
)
