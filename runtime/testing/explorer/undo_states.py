"""The state that each undo has to be given: of when its step was done or, before that is known, was last asked."""

from __future__ import annotations

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.view import Phase
from runtime.testing.explorer.driver import SagaDriver, Taken
from runtime.testing.explorer.world import SagaWorld, Truth, with_truth

__all__ = ["with_states"]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED)


def with_states(driver: SagaDriver, heard: SagaWorld, truths: tuple[Truth, ...], taken: Taken) -> tuple[Truth, ...]:
    """What is true of each step, with the state of its undo after this input."""
    before, after = driver.views[heard.record], driver.views[taken.record]
    if heard.pivot_told or after.status in _ENDED:
        return tuple([one._replace(state=-1) if one.state >= 0 else one for one in truths])
    for place, state in taken.dos:
        if driver.places.nodes[place].is_undoable:
            truths = with_truth(truths, place, truths[place]._replace(state=state))
    for place, (truth, phase) in enumerate(zip(truths, after.phases, strict=True)):
        if truth.state < 0:
            continue
        if phase is Phase.DONE and (place >= len(before.phases) or before.phases[place] is not Phase.DONE):
            state = before.state if taken.kept is None else taken.kept
            truths = with_truth(truths, place, truth._replace(state=state))
        elif truth.undone_told or truth.refusal_told:
            truths = with_truth(truths, place, truth._replace(state=-1))
    return truths
