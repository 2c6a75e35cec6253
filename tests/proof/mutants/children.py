"""Mutants of child sagas: what a child does when its parent takes it back, and what the parent makes of the answer."""

from __future__ import annotations

from runtime.saga import cancellation
from runtime.saga.nodes import child
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["CHILDREN"]

CHILDREN = (
    Mutant(
        "completed-child-is-not-undone",
        "A child that has completed without a pivot does not turn back when its parent undoes it.",
        (Edit(cancellation.undo, "elif record.status == SagaRecord.COMPLETED:", "elif False:"),),
        workload="random",
    ),
    Mutant(
        "child-turns-back-past-its-pivot",
        "A child that has passed its pivot turns back when its parent undoes it.",
        (Edit(cancellation.undo, "if record.pivot_passed or not is_parent:", "if not is_parent:"),),
        workload="random",
    ),
    Mutant(
        "child-that-stays-counts-as-undone",
        "A child that cannot be undone, and may stay, counts as undone.",
        (Edit(child._stays, "else TaskRecord.SKIPPED", "else TaskRecord.UNDONE"),),
        workload="random",
    ),
)
