"""Mutants of pauses: what a saga does while a participant keeps failing."""

from __future__ import annotations

from runtime.saga.pausing import PausingSaga
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["PAUSES"]

_UNSEEN = "Simulated participants are never dead for so many sagas in a row"
_TESTS = "tests/unit/saga/test_pausing.py"

PAUSES = (
    Mutant(
        "new-sagas-begin-during-a-pause",
        "A saga begins although a participant that it needs is paused.",
        (Edit(PausingSaga._check_start, "if paused and not", "if False and not"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
    Mutant(
        "a-pause-counts-as-silence",
        "The time in which a participant was paused counts as silence, so that all sagas turn back as the pause ends.",
        (
            Edit(
                PausingSaga._held_until_s,
                "question.is_silence and resumed_at_s > question.asked_at_s",
                "resumed_at_s > now_s",
            ),
        ),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
)
