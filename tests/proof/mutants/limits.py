"""Mutants that show only where limits are small: the limits of a frame and of a window."""

from __future__ import annotations

from runtime.mesh.send_queue import SendQueue
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["LIMITS"]

LIMITS = (
    Mutant(
        "shed-without-a-word",
        "Messages without room in the window are shed, and the other side is not told of a gap.",
        (Edit(SendQueue.push, "self.missed_pushes = True\n        self.shed += 1", "self.shed += 1"),),
        workload="streams",
    ),
    Mutant(
        "rest-of-a-frame-dropped",
        "Messages that do not fit into one frame are dropped.",
        (Edit(SendQueue.fill, "self._take_some(frame)", "self._take_some(frame)\n        self._pushes.clear()"),),
        workload="streams",
    ),
)
