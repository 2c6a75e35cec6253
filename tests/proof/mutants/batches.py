"""Mutants of how SQLite writes many transitions at once, and finds the ones that cannot be written."""

from __future__ import annotations

from runtime.store.plan import CommitPlan
from runtime.store.sqlite import commit
from runtime.store.sqlite.names import NameNumbers
from runtime.store.sqlite.statements import ManyRows
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["BATCHED"]

BATCHED = (
    Mutant(
        "last-statement-decides",
        "Of several statements for one list of rows, only the last decides whether all rows were as expected.",
        (Edit(ManyRows.run, "everyone &= ", "everyone = "),),
        workload="batches",
    ),
    Mutant(
        "few-left-not-written",
        "The last rows of a long list are not written if they are few enough for a statement of their own.",
        (Edit(ManyRows.run, "while left:", "while left > (_EXACT_MAX if start else 0):"),),
        workload="batches",
    ),
    Mutant(
        "halves-not-taken-back",
        "A part of a batch that failed is not rolled back before it is halved.",
        (Edit(commit._write_part, "is not Verdict.COMMITTED:", "is not Verdict.COMMITTED and len(plan.batch) == 1:"),),
        workload="batches",
    ),
    Mutant(
        "first-try-not-rolled-back",
        "A batch that failed as a whole is written in parts without a rollback.",
        (
            Edit(
                commit._write_whole,
                'connection.execute("rollback")\n        connection.execute("begin immediate")',
                "pass",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "loser-leaves-its-half",
        "A single transition that is refused leaves the rows that were written before its culprit.",
        (Edit(commit._write_part, "is not Verdict.COMMITTED:", "is not Verdict.COMMITTED and len(plan.batch) > 1:"),),
        workload="batches",
    ),
    Mutant(
        "middle-written-twice",
        "The halves of a batch of an odd size share the one in the middle.",
        (
            Edit(
                CommitPlan.halves,
                "self.batch[middle:]",
                "self.batch[middle - len(self.batch) % 2 :]",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "last-post-decides",
        "The last transition of a batch decides whether the batch is checked for copies.",
        (Edit(CommitPlan._add, "self.checks_duplicates |= ", "self.checks_duplicates = "),),
        workload="batches",
    ),
    Mutant(
        "one-update-for-both",
        "New rows of actors are not checked once the changed rows are as expected.",
        (
            Edit(
                commit._verdict,
                "if not (UPDATE_ACTORS.run(connection, plan.updated) and ",
                "if not (UPDATE_ACTORS.run(connection, plan.updated) in (True, False) and ",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "what-was-handled-is-passed-over",
        "A turn is written again although its message was handled before.",
        (
            Edit(
                commit._verdict,
                "if not INSERT_HISTORY.run(connection, names.numbered(connection, plan.history)):",
                "INSERT_HISTORY.run(connection, names.numbered(connection, plan.history))\n    if False:",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "undone-name-is-trusted",
        "A name keeps the number that it got in a transaction that was undone.",
        (Edit(NameNumbers._number, "number = int(", "number = self._known[name] = int("),),
        workload="batches",
    ),
)
