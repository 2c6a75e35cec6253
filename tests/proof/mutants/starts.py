"""Mutants of starts: what begins when one event starts several processes."""

from __future__ import annotations

from runtime.durable.kind import Subscribers
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["STARTS"]

_UNSEEN = "No workload has an event that starts several processes"
_TESTS = "tests/scenarios/test_several.py"

STARTS = (
    Mutant(
        "two-drivers-in-one-conversation",
        "Processes that one event starts all drive the conversation in which it was said.",
        (Edit(Subscribers.apart, "if len(starting) < 2:", "if True:"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
    Mutant(
        "first-process-by-name",
        "Of processes that one event starts, the first by name has the conversation, whatever the catalogue says.",
        (Edit(Subscribers.apart, "if one in starting", "if False"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
)
