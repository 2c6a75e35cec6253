"""One state of an exploration: the saga's record, its timers, what is on its way, and what has really happened.

Everything is a tuple in a fixed order, so that two schedules that come to the same are the same state. Letters have no
order among themselves: a bag holds every reordering, also those that the runtime's order between two actors rules out.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AGAIN",
    "DONE",
    "FAILED",
    "FAULT",
    "GONE",
    "NONE",
    "NOTHING",
    "PARKED",
    "UNDONE",
    "WAITING",
    "Left",
    "Reply",
    "SagaWorld",
    "SentCommand",
    "Truth",
    "with_fate",
    "with_truth",
]

NONE, DONE, UNDONE, AGAIN = range(4)
"""The effect of a step at its participant: none yet, in place, taken back, in place although it was taken back."""

WAITING, PARKED, GONE, FAILED = -11, -12, -13, -14
"""The fate of a command. On its way; given up on, a dead letter; put to rest by an undo before it ran; and, once it was
given up on, by an undo that ran after it. Else the word that it was answered with, from which these differ."""

FAULT, NOTHING = -1, -2
"""Words that every participant's runtime has: the command was given up on; there was nothing to undo."""


class SentCommand(NamedTuple):
    """A do, or an undo, on its way to its participant. `attempt` counts from 1 for each step and direction."""

    step: int
    undo: bool
    attempt: int
    undoes: int  # the attempt of the do that an undo names; 0 for none
    refusals: tuple[str, ...]  # that the undo carries: answers of its do after which nothing is left to undo
    address: str


class Reply(NamedTuple):
    """An answer on its way back: FAULT, NOTHING, or the index of a message that the participant may say."""

    command: SentCommand
    word: int


class Truth(NamedTuple):
    """What has really happened about one step, whatever the saga believes; and what the saga has been told of it."""

    effect: int = NONE
    dos: tuple[int, ...] = ()  # the fate of each do that was sent
    undos: tuple[int, ...] = ()
    refusal_told: bool = False
    undone_told: bool = False
    waived: bool = False  # the author's undo said that this instance needs none


class Left(NamedTuple):
    """What the environment may still do; kept beside the world, since it says nothing about what is."""

    faults: int
    silences: int
    duplicates: int
    cancels: int
    poisons: int
    replays: int


class SagaWorld(NamedTuple):
    """Where things stand, to be compared and looked up."""

    record: int  # of the driver's list
    timers: tuple[str, ...]
    commands: tuple[SentCommand, ...]
    replies: tuple[Reply, ...]
    truths: tuple[Truth, ...]
    poisoned: tuple[tuple[int, bool], ...] = ()  # step and direction
    pivot_told: bool = False  # the saga was told that its pivot is done, before it turned back
    cancelled: bool = False  # a client was told that the saga turns back

    @property
    def is_at_rest(self) -> bool:
        """Nothing more comes by itself."""
        return not (self.timers or self.commands or self.replies)

    def concerns(self, step: int) -> bool:
        """Whether something is under way that may still tell the saga about the do of this step."""
        return any(one.step == step and not one.undo for one in self.commands) or any(
            one.command.step == step and not one.command.undo for one in self.replies
        )


def with_truth(truths: tuple[Truth, ...], step: int, truth: Truth) -> tuple[Truth, ...]:
    return (*truths[:step], truth, *truths[step + 1 :])


def with_fate(fates: tuple[int, ...], attempt: int, fate: int) -> tuple[int, ...]:
    return (*fates[: attempt - 1], fate, *fates[attempt:])
