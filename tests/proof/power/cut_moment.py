"""What goes wrong in one life, and when, drawn from the dice so that every phase of a store's life has its share."""

from __future__ import annotations

from runtime.testing.virtual.dice import Dice
from tests.proof.power.disk import ANY, Aim, FlushFaults

__all__ = ["draw_aim", "draw_closing_aim", "draw_first_aim", "draw_flush_faults"]

# Kind of operation, how far in at the most, weight. A log's operations are commits (and its first write a new round of
# the log); those of the file are checkpoints; the first operations of a life are its opening and its recovery.
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
_FIRST_MAX = 90  # operations that making the tables takes, and a little more
_CLOSING_MAX = 30


def draw_aim(dice: Dice) -> Aim:
    """For a life on an image that an earlier one has left."""
    roll = dice.below(sum(weight for _, _, weight in _RUNNING))
    for kind, most, weight in _RUNNING:
        if roll < weight:
            return Aim(kind, 1 + dice.below(most))
        roll -= weight
    raise AssertionError("the weights are those that were summed up")


def draw_first_aim(dice: Dice) -> Aim:
    """For a life that begins with nothing: often while it makes its tables."""
    return Aim(ANY, 1 + dice.below(_FIRST_MAX)) if dice.chance(0.5) else draw_aim(dice)


def draw_closing_aim(dice: Dice) -> Aim:
    """For a node that is told to stop; often when it deletes its log, which is the last thing that it does."""
    return Aim("delete") if dice.chance(0.3) else Aim(ANY, 1 + dice.below(_CLOSING_MAX))


def draw_flush_faults(dice: Dice) -> FlushFaults:
    """Mostly none, since each costs a pause.

    A flush of the file is never forgotten: a checkpoint in parts does not survive that, see docs/proof/power-cuts.md.
    """
    share = dice.choose((0.0, 0.0, 0.0, 0.08))
    return FlushFaults(fails={"log": share / 2, "file": share}, forgets={"log": share / 2})
