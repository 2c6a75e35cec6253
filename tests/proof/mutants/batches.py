"""Mutants of how SQLite writes many transitions at once, and finds those that cannot be written."""

from __future__ import annotations

from runtime.store.sqlite import commit
from runtime.store.sqlite.commit import CommitPlan
from runtime.store.sqlite.statements import ManyRows
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["BATCHED"]

BATCHED = (
    Mutant(
        "last-statement-decides",
        "Of the statements that a list of rows takes, only the last says whether all were as expected.",
        (Edit(ManyRows.run, "everyone &= ", "everyone = "),),
        workload="batches",
    ),
    Mutant(
        "few-left-not-written",
        "What is left of a long list of rows, once few enough for a statement of their own, is not written.",
        (Edit(ManyRows.run, "while left:", "while left > (_EXACT_MAX if start else 0):"),),
        workload="batches",
    ),
    Mutant(
        "halves-not-taken-back",
        "A part of a batch that cannot be written whole is not taken back before it is halved.",
        (
            Edit(
                commit._write_part,
                '"release many" if written else "rollback to many"',
                '"release many" if written else "savepoint many"',
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "first-try-not-rolled-back",
        "A batch that cannot be written whole is written in parts on top of what was written of it.",
        (
            Edit(
                commit.write,
                'connection.execute("rollback")\n        connection.execute("begin immediate")',
                "pass",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "loser-leaves-its-half",
        "Of a transition that stands alone and is not written, what came before the culprit stays.",
        (Edit(commit._write_alone, 'connection.execute("rollback to one")', "pass"),),
        workload="batches",
    ),
    Mutant(
        "middle-written-twice",
        "The halves of a batch of an odd size share the one in the middle.",
        (
            Edit(
                commit._write_halves,
                "plan.batch[:middle], plan.batch[middle:]",
                "plan.batch[:middle], plan.batch[middle - len(plan.batch) % 2 :]",
            ),
        ),
        workload="batches",
    ),
    Mutant(
        "last-post-decides",
        "Whether copies are minded in a batch is said by its last transition.",
        (Edit(CommitPlan._add, "self.checks_duplicates |= ", "self.checks_duplicates = "),),
        workload="batches",
    ),
    Mutant(
        "one-update-for-both",
        "New rows of actors are not looked at once those that change are as expected.",
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
        "That a message was handled before does not keep its turn from being written again.",
        (
            Edit(
                commit._verdict,
                "if not INSERT_HISTORY.run(connection, plan.history):",
                "INSERT_HISTORY.run(connection, plan.history)\n    if False:",
            ),
        ),
        workload="batches",
    ),
)
