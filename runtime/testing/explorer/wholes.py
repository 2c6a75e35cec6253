"""What must hold of a list and of alternatives: how many are under way, what they do without, when the whole is done.

The checks of single steps hold for the steps within too. These are about the whole that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import EachDefinition, FirstOfDefinition, Role, StepDefinition
from runtime.saga.view import OPEN, OWING, Phase
from runtime.testing.explorer.driver import View
from runtime.testing.explorer.places import Places
from runtime.testing.explorer.world import DONE, SagaWorld, SentCommand, Truth

__all__ = ["Whole", "Wholes", "owes"]

Whole = EachDefinition | FirstOfDefinition

_FORWARD = (SagaRecord.RUNNING, SagaRecord.COMPLETED)


def owes(step: StepDefinition, truth: Truth) -> bool:
    """Whether the undo of this step is owed, and not confirmed."""
    return step.undo is not None and bool(truth.dos) and not (truth.refusal_told or truth.undone_told or truth.waived)


class Wholes:
    """Each check yields sentences of what is wrong."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._flows: dict[int, list[StepDefinition]] = {}

    def flow(self, count: int) -> list[StepDefinition]:
        """All steps of so many places but those that close a compensation, with those within others."""
        flow = self._flows.get(count)
        if flow is None:
            steps = [node for node in self._places.nodes[:count] if isinstance(node, StepDefinition)]
            flow = self._flows[count] = [step for step in steps if step.role is not Role.CLOSING]
        return flow

    def later(self, step: StepDefinition, count: int) -> list[StepDefinition]:
        """The steps that come after this one, and so have to be undone before it."""
        whole, place = self.of(step.index), self._places.within[step.index]
        beside = place if isinstance(whole, EachDefinition) and whole.in_order else -1
        return [
            one
            for one in self.flow(count)
            if self._static(one.index) in step.all_after
            or (self._places.within[one.index] == beside and one.index > step.index)
        ]

    def _static(self, place: int) -> int:
        """The place in the definition of the task, or of the whole that it is a part of."""
        within = self._places.within[place]
        return place if within is None else within

    def of(self, place: int) -> Whole | None:
        """The node that the task at this place is a part of."""
        within = self._places.within[place]
        whole = None if within is None else self._places.nodes[within]
        assert whole is None or isinstance(whole, EachDefinition | FirstOfDefinition), "nothing else has tasks within"
        return whole

    def steps(self, whole: Whole, view: View) -> list[StepDefinition]:
        """The steps within it, in their order."""
        known = [place for place in self._places.inner(whole.index) if place < len(view.phases)]
        return [self._places.step(place) for place in known if view.phases[place] is not None]

    def missing(self, whole: Whole, world: SagaWorld, view: View) -> Iterable[str]:
        """Why the whole is not done."""
        steps = self.steps(whole, view)
        left_out = sum(view.phases[step.index] is Phase.LEFT_OUT for step in steps)
        needed = max(_needed(whole, len(steps)) - left_out, 0)
        if _done(steps, world, view) < needed:
            yield f"fewer than {needed} of {whole.name} are done"
        for step in steps:
            if view.phases[step.index] is not Phase.DONE and owes(step, world.truths[step.index]):
                yield f"{step.name} is done without, and its undo is not confirmed"

    def asking(self, whole: Whole, heard: SagaWorld, command: SentCommand, after: View) -> Iterable[str]:
        """What is wrong with asking this step of it, forward."""
        steps, step = self.steps(whole, after), self._places.step(command.step)
        if isinstance(whole, FirstOfDefinition):
            for other in steps:
                truth = heard.truths[other.index]
                if other.index < step.index and not truth.dos:
                    yield f"{step.name} is asked before {other.name}, which has its turn before"
                if other.index != step.index and (owes(other, truth) or after.phases[other.index] in OPEN):
                    yield f"{step.name} is asked, and {other.name} is neither refused nor undone"
            return
        busy = [one for one in steps if after.phases[one.index] in (OPEN | OWING) and one.name not in after.stuck]
        if len(busy) > whole.at_once:
            yield f"{len(busy)} of {whole.name} are under way, at most {whole.at_once} may be"
        for other in steps if whole.in_order else ():
            if other.index < step.index and after.phases[other.index] in (OPEN | {Phase.WAITING}):
                yield f"{step.name} is asked before {other.name}, which has its turn before"
        if whole.at_least and _done(steps, heard, after) >= whole.at_least:
            yield f"{step.name} is asked, although enough of {whole.name} are done"

    def undoing(self, whole: Whole, command: SentCommand, before: View, after: View) -> Iterable[str]:
        """What is wrong with undoing this step of it."""
        step = self._places.step(command.step)
        if after.heading in _FORWARD:
            if before.phases[command.step] is Phase.DONE:
                yield f"step {step.name} is undone, although it is done and the saga goes on"
            return
        busy = [one for one in self.steps(whole, after) if after.phases[one.index] is Phase.UNDOING]
        if isinstance(whole, EachDefinition) and len(busy) > whole.at_once:
            yield f"{len(busy)} of {whole.name} are being undone, at most {whole.at_once} may be"
        for other in self.steps(whole, after) if isinstance(whole, EachDefinition) and whole.in_order else ():
            if other.index > step.index and after.phases[other.index] in OWING and other.name not in after.stuck:
                yield f"step {step.name} is undone before {other.name}, which came after it"

    def is_enough(self, whole: Whole, world: SagaWorld, view: View) -> bool:
        """Whether what has not begun of it may be passed over."""
        if view.heading not in _FORWARD:
            return True  # What was done is undone by now.
        steps = self.steps(whole, view)
        least = whole.at_least if isinstance(whole, EachDefinition) else 1
        return bool(least) and _done(steps, world, view) >= least


def _needed(whole: Whole, count: int) -> int:
    if isinstance(whole, FirstOfDefinition):
        return 1
    return whole.at_least or max(count - whole.tolerate, 0)


def _done(steps: Sequence[StepDefinition], world: SagaWorld, view: View) -> int:
    """How many of them are in place, and the saga knows it."""
    return sum(view.phases[one.index] is Phase.DONE and world.truths[one.index].effect == DONE for one in steps)
