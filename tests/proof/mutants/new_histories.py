"""Mutants of what a node does once its store is another history."""

from __future__ import annotations

from runtime.cluster.membership import Membership
from runtime.durable.new_history import NewHistory
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["NEW_HISTORIES"]

_UNSEEN = "In a simulated cluster nobody relies on being told: compare-and-set finds each lost row"
_TEST = "tests/cluster/test_another_history.py"

NEW_HISTORIES = (
    Mutant(
        "turned-store-keeps-its-actors",
        "A node keeps its actors in memory, and its lease, although its store is another history.",
        (Edit(Membership.start_over, "self._lapse(reason)", "pass"),),
        unseen=_UNSEEN,
        held_by=_TEST,
    ),
    Mutant(
        "kinds-not-told-again",
        "A node does not tell a store that has lost its subscriptions of its kinds again.",
        (Edit(NewHistory._follow, "await self._again(enrol)", "pass"),),
        unseen=_UNSEEN,
        held_by=_TEST,
    ),
    Mutant(
        "caller-of-a-lost-command-waits",
        "A call waits on, although the store has lost its command.",
        (Edit(NewHistory._follow, "self._fail_calls(lost)", "pass"),),
        unseen=_UNSEEN,
        held_by=_TEST,
    ),
    Mutant(
        "lost-commits-not-named",
        "Commits that the store has lost are not looked for.",
        (Edit(NewHistory._lost_of, "if not is_there", "if False"),),
        unseen=_UNSEEN,
        held_by=_TEST,
    ),
)
