"""Mutants of starts: what begins when one event starts several processes."""

from __future__ import annotations

from runtime.durable.kind import Subscribers
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["STARTS"]

STARTS = (
    Mutant(
        "two-drivers-in-one-conversation",
        "Processes that one event starts all drive the conversation in which it was said.",
        (Edit(Subscribers.apart, "if len(starting) < 2:", "if True:"),),
        workload="random",
    ),
    Mutant(
        "first-process-by-name",
        "Of processes that one event starts, the first by name has the conversation, whatever the catalogue says.",
        (Edit(Subscribers.apart, "if one in starting", "if False"),),
        workload="random",
    ),
)
