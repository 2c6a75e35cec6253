"""What must hold of a saga once nothing more comes by itself: it has ended, or somebody has really failed it."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import ApprovalDefinition, Meaning, Node, Role, StepDefinition
from runtime.saga.view import OWING, Phase
from runtime.testing.explorer.driver import SagaDriver, View
from runtime.testing.explorer.wholes import Wholes
from runtime.testing.explorer.world import DONE, NOTHING, PARKED, SagaWorld, Truth

__all__ = ["Rests"]


class Rests:
    """Each check yields sentences of what is wrong."""

    def __init__(self, driver: SagaDriver, wholes: Wholes) -> None:
        self._driver, self._places, self._wholes = driver, driver.places, wholes

    def of(self, world: SagaWorld, view: View) -> Iterable[str]:
        if view.status in (SagaRecord.RUNNING, SagaRecord.COMPENSATING):
            status = SagaRecord.Status.Name(view.status).lower()
            yield f"it is {status}, and nothing will ever move it: no message, no timer"
        elif view.status == SagaRecord.STUCK:
            yield from self._left_waiting(world, view)
            named = self.named(view)
            if named and not any(self._spent(world, view, node) for node in named):
                yield f"it is stuck although nobody has given up for good: {view.stuck_reason}"

    def named(self, view: View) -> list[Node]:
        """The nodes that the reason of being stuck names."""
        return [node for node in self._places.nodes[: len(view.phases)] if node.name in view.stuck_reason]

    def _left_waiting(self, world: SagaWorld, view: View) -> Iterable[str]:
        """Undos that nothing holds up, and that were never begun."""
        for step in self._wholes.flow(len(world.truths)):
            is_owed = view.phases[step.index] is Phase.OWED and step.name not in view.stuck
            if not is_owed or world.truths[step.index].undos:
                continue
            if not any(self._holds_up(view, one) for one in self._wholes.later(step, len(world.truths))):
                yield f"it is stuck, and the undo of step {step.name}, which waits for nothing, never begins"

    def _holds_up(self, view: View, later: StepDefinition) -> bool:
        is_past = self._driver.definition.undoes_past_stuck and later.name in view.stuck
        return view.phases[later.index] in OWING and not is_past

    def _spent(self, world: SagaWorld, view: View, node: Node) -> bool:
        """Says whether it was failed as often as it may be asked, and has not been carried out since."""
        if not isinstance(node, StepDefinition):
            return isinstance(node, ApprovalDefinition) and world.truths[node.index].effect != DONE
        truth, meaning = world.truths[node.index], self._places.meaning[node.index]
        back = view.stuck_in == SagaRecord.COMPENSATING and node.role is not Role.CLOSING
        if back or view.phases[node.index] in OWING:
            return self._undo_is_spent(truth, node)
        failed = any(fate == PARKED or fate in meaning[Meaning.IGNORED] for fate in truth.dos)
        asks = sum(fate not in meaning[Meaning.WORKING] for fate in truth.dos)
        return failed and asks >= node.budget.asks_max and not any(fate in meaning[Meaning.DONE] for fate in truth.dos)

    def _undo_is_spent(self, truth: Truth, step: StepDefinition) -> bool:
        place, fates = step.index, truth.undos
        if any(fate in (NOTHING, *self._places.undone[place]) for fate in fates):
            return False
        if any(fate in self._places.undo_refused[place] for fate in fates):
            return True
        failed = any(fate == PARKED or fate in self._places.meaning[place][Meaning.IGNORED] for fate in fates)
        asks = sum(fate not in self._places.undo_working[place] for fate in fates)
        return failed and asks >= step.budget.asks_max
