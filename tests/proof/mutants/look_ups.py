"""Mutants of look-ups: what a service finds out at an outside system, and what becomes of the command by that."""

from __future__ import annotations

from runtime.durable.turn.look_up import Doubt
from runtime.durable.turn.turn import Turn
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["LOOK_UPS"]

LOOK_UPS = (
    Mutant(
        "look-up-that-fails-is-absent",
        "A look-up that fails counts as one that has found nothing.",
        (
            Edit(
                Turn._probe,
                "if not self._runs_again(error, probe, asked, failed_before + runs, runs):\n                return",
                "[doubt.anew().settle(probe) for doubt in doubts]\n            if doubts:\n                break",
            ),
        ),
        workload="outside",
    ),
    Mutant(
        "looked-up-as-absent-and-replayed",
        "A dead letter that was found absent stays where an operator can replay it.",
        (
            Edit(Doubt.settle, "draft.given_up[do.id] = None", "pass"),
            Edit(Doubt.settle, "attempts=self.row.attempts, error=error)", "attempts=0, error=error, consume=False)"),
        ),
        workload="outside",
    ),
    Mutant(
        "found-outside-counts-as-absent",
        "What an outside system has done counts as absent.",
        (Edit(Doubt.settle, "if self.found is None:", "if self.found is None or self.row.parked:"),),
        workload="outside",
    ),
    Mutant(
        "looked-up-under-the-id-of-the-probe",
        "A look-up asks the outside system by the key of the probe, which that has never seen.",
        (Edit(Turn._probe, "self._delivery(doubt.do,", "self._delivery(probe,"),),
        workload="outside",
    ),
    Mutant(
        "state-of-a-look-up-lost",
        "What a look-up has changed of the state is not kept.",
        (Edit(Turn._probe, "self._keeper.keep()", "self._restore(asked, probe)"),),
        workload="outside",
    ),
    Mutant(
        "look-ups-settled-one-by-one",
        "Of several look-ups of one probe, those before the one that fails are written all the same.",
        (
            Edit(
                Turn._probe,
                "await doubt.look_up(self.state, delivery, self._timeout_s)",
                "await doubt.look_up(self.state, delivery, self._timeout_s)\n                doubt.settle(probe)",
            ),
        ),
        workload="outside",
    ),
)
