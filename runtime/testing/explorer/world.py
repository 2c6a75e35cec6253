"""One state of an exploration: the saga's record, its timers, what is on its way, and what really happened.

Everything is a tuple in a fixed order, so two schedules with the same outcome lead to the same state. Messages on their
way have no order. So every reordering is tried, also those that the runtime's order between two actors rules out.
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
    "PROBES_FROM",
    "SETTLED",
    "UNDONE",
    "WAITING",
    "Left",
    "Reply",
    "SagaWorld",
    "SentCommand",
    "Truth",
    "with_fate",
    "with_sent",
    "with_truth",
]

NONE, DONE, UNDONE, AGAIN = range(4)
"""The effect of a step at its participant: none yet, in place, taken back, in place although it was taken back."""

WAITING, PARKED, GONE, FAILED = -11, -12, -13, -14
"""The fate of a command without an answer. It is under way; it is a dead letter; its undo came before it ran; or it was
a dead letter when its undo ran. The fate of any other command is the number of its answer."""

SETTLED = -15
"""The fate of each command of a step that is settled, once it makes no difference any more."""

PROBES_FROM = 100
"""More than a step is ever asked in an exploration."""

FAULT, NOTHING = -1, -2
"""Answers of every participant's runtime: it gave up on the command; there was nothing to undo."""


class SentCommand(NamedTuple):
    """A do, an undo or a probe on its way to its participant. `attempt` counts from 1 for each step and direction.

    The attempts of probes go on from PROBES_FROM, so that none has the id of a do.
    """

    step: int
    undo: bool
    attempt: int
    undoes: int  # The number of the do that an undo names; 0 for none.
    refusals: tuple[str, ...]  # Answers of the do after which there is nothing to undo.
    address: str
    begun: bool = False  # An undo says that a do before the one it names was answered as begun.
    earlier: tuple[int, ...] = ()  # The numbers of the earlier undos that an undo names.
    undones: tuple[str, ...] = ()  # The answers of an undo that confirm it.
    probes: tuple[int, ...] = ()  # The numbers of the dos that a probe asks about; empty for any other command.


class Reply(NamedTuple):
    """An answer on its way back: FAULT, NOTHING, or the number of an answer at the driver."""

    command: SentCommand
    answer: int


class Truth(NamedTuple):
    """What really happened to one step, whatever the saga believes, and what the saga was told of it."""

    effect: int = NONE
    dos: tuple[int, ...] = ()  # The fate of each do that was sent.
    undos: tuple[int, ...] = ()
    refusal_told: bool = False
    undone_told: bool = False
    waived: bool = False  # The author's undo said that this instance needs none.
    state: int = -1  # The number of the state that its undo has to be given; -1 if none will be.


class Left(NamedTuple):
    """What the environment may still do. It is no part of the world, since it says nothing about how things stand."""

    faults: int
    silences: int
    duplicates: int
    cancels: int
    poisons: int
    replays: int
    workings: int


class SagaWorld(NamedTuple):
    """How things stand. Worlds are compared, and looked up."""

    record: int  # Its number at the driver.
    timers: tuple[str, ...]
    commands: tuple[SentCommand, ...]
    replies: tuple[Reply, ...]
    truths: tuple[Truth, ...]
    poisoned: tuple[tuple[int, bool], ...] = ()  # Step and direction.
    pivot_told: bool = False  # The saga heard that its pivot is done, before it turned back.
    cancelled: bool = False  # A client heard that the saga turns back.

    @property
    def is_at_rest(self) -> bool:
        """Says whether nothing more comes by itself."""
        return not (self.timers or self.commands or self.replies)

    def concerns(self, step: int) -> bool:
        """Says whether something under way may still tell the saga about the do of this step."""
        return any(one.step == step and not one.undo for one in self.commands) or any(
            one.command.step == step and not one.command.undo for one in self.replies
        )


def with_truth(truths: tuple[Truth, ...], step: int, truth: Truth) -> tuple[Truth, ...]:
    return (*truths[:step], truth, *truths[step + 1 :])


def with_sent(truth: Truth, command: SentCommand) -> Truth:
    """The truth once a command of the step is on its way. A step that a probe found absent is asked again."""
    if command.undo:
        return truth._replace(undos=(*truth.undos, WAITING))
    if command.probes:
        return truth
    return truth._replace(dos=(*truth.dos, WAITING), refusal_told=truth.refusal_told and GONE not in truth.dos)


def with_fate(fates: tuple[int, ...], attempt: int, fate: int) -> tuple[int, ...]:
    return (*fates[: attempt - 1], fate, *fates[attempt:])
