"""Draws what goes wrong in one life, and when, so that every phase of a store's life has its share."""

from __future__ import annotations

from runtime.testing.virtual.dice import Dice
from tests.proof.power.disk import ANY, Aim, FlushFaults

__all__ = ["draw_aim", "draw_closing_aim", "draw_first_aim", "draw_flush_faults"]

# Each line has the kind of operation, its largest number, and a weight. Operations of the log are commits; its first
# write begins the log anew. Operations of the file are checkpoints. A life begins with the opening and the recovery.
_RUNNING = (
    ("write log", 150, 25),
    ("sync log", 12, 20),
    ("write file", 10, 15),
    ("sync file", 3, 12),
    ("truncate file", 2, 3),
    ("create log", 1, 3),
    (ANY, 40, 17),
    (ANY, 400, 5),
)
_FIRST_MAX = 90  # A little more than the operations that it takes to make the tables.
_CLOSING_MAX = 30


def draw_aim(dice: Dice) -> Aim:
    """The aim for a life that boots on what an earlier life has left."""
    roll = dice.below(sum(weight for _, _, weight in _RUNNING))
    for kind, most, weight in _RUNNING:
        if roll < weight:
            return Aim(kind, 1 + dice.below(most))
        roll -= weight
    raise AssertionError("a roll is below the sum of the weights")


def draw_first_aim(dice: Dice) -> Aim:
    """The aim for a life that begins with nothing: often the power fails while it makes its tables."""
    return Aim(ANY, 1 + dice.below(_FIRST_MAX)) if dice.chance(0.5) else draw_aim(dice)


def draw_closing_aim(dice: Dice) -> Aim:
    """The aim for a node that is told to stop: often the deletion of the log, which is its last operation."""
    return Aim("delete") if dice.chance(0.3) else Aim(ANY, 1 + dice.below(_CLOSING_MAX))


def draw_flush_faults(dice: Dice) -> FlushFaults:
    """How often flushes fail: mostly never, since each failure costs a pause.

    A flush of the file is never forgotten, since SQLite does not survive that: see docs/proof/power-cuts.md.
    """
    share = dice.choose((0.0, 0.0, 0.0, 0.08))
    return FlushFaults(fails={"log": share / 2, "file": share}, forgets={"log": share / 2})
