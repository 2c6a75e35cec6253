"""Checks the order of undos, by the history of messages and not by the saga's record.

Take two steps, or two items of a list in order, of which one waits for the other. If the later one was ever asked for,
has an undo and was not refused, its undo must take effect before the saga sends the undo of the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.durable.caused import came_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import Outcome
from runtime.testing.rules.ledger import Violation
from tests.proof.programs.evidence import DeedCommand, Evidence
from tests.proof.programs.program import Deed, Run, SagaPlan
from tests.proof.programs.vocabulary import words_of

__all__ = ["check_undo_order"]


def check_undo_order(evidence: Evidence, plan: SagaPlan, run: Run) -> Iterator[Violation]:
    """Every undo of one run that came too early, or whose step was never asked for."""
    for index in range(len(plan.steps)):
        for deed in run.deeds_of(index):
            yield from _check_one(evidence, plan, run, index, deed)


def _check_one(evidence: Evidence, plan: SagaPlan, run: Run, index: int, deed: Deed) -> Iterator[Violation]:
    undos = evidence.orders.get((deed.name, True), [])
    for undo in undos:
        yield from _check_belongs(evidence, deed.name, undo)
    if not undos:
        return
    began = min(_sent_at(evidence, undo) for undo in undos)
    for later, others in _later_than(plan, run, index, deed):
        for other in others:
            if other.step in _declared(evidence, run) or (plan.undoes_past_stuck and _may_be_stuck(evidence, other)):
                continue
            if not _owes(evidence, plan, other, later) or _asked_after(evidence, other, began):
                continue
            if not _settled_before(evidence, other.name, began):
                text = f"{deed.name} was undone before {other.name}, which comes after it"
                yield Violation("I6", text, undos[0].envelope.conversation)


def _later_than(plan: SagaPlan, run: Run, index: int, deed: Deed) -> Iterator[tuple[int, Sequence[Deed]]]:
    """The deeds of later steps, and of later items of the same list if that is in order; with the place of each."""
    listed = plan.detours.lists.get(index)
    if listed is not None and listed.in_order:
        deeds = run.deeds_of(index)
        yield index, deeds[deeds.index(deed) + 1 :]
    for later in plan.later_than(index):
        yield later, run.deeds_of(later)


def _declared(evidence: Evidence, run: Run) -> set[str]:
    """The tasks of which an operator has declared something, so that the history does not tell what came of them."""
    record = evidence.records[run.name][0] if run.name in evidence.records else SagaRecord()
    return {task.path for task in record.tasks if task.by_hand}


def _asked_after(evidence: Evidence, deed: Deed, place: int) -> bool:
    """Whether it was asked for only once this undo had been sent, as behind a list of which one item may fail."""
    return all(_sent_at(evidence, do) > place for do in evidence.orders.get((deed.name, False), []))


def _check_belongs(evidence: Evidence, deed: str, undo: DeedCommand) -> Iterator[Violation]:
    dos = evidence.orders.get((deed, False), [])
    if undo.envelope.undo_of not in [do.envelope.id for do in dos]:
        yield Violation("I6", f"{deed} was undone, and never asked for", undo.envelope.conversation)
    for do in dos:
        came_late = do.handled is not None and do.handled.outcome is Outcome.HANDLED and undo.took_effect
        if came_late and do.place > undo.place >= 0:
            yield Violation("I6", f"{deed} was done after its undo", undo.envelope.conversation)


def _sent_at(evidence: Evidence, undo: DeedCommand) -> int:
    """The place in the history at which the saga sent it, or where it was handled if another conversation caused it."""
    envelope = undo.envelope
    place = evidence.place_of(envelope.conversation, envelope.cause)
    if place >= 0:
        return place
    return undo.place if undo.place >= 0 else len(evidence.ledger.history.get(envelope.conversation, {}))


def _owes(evidence: Evidence, plan: SagaPlan, deed: Deed, index: int) -> bool:
    """Whether this deed of the step at this place may have happened, and has something to undo."""
    step = plan.steps[index]
    dos = evidence.orders.get((deed.name, False), [])
    if not dos or not step.has_undo or not deed.undo_needed:
        return False
    refused = words_of(step.kind).refused.DESCRIPTOR.full_name
    return not any(_answered_with(do, refused) for do in dos)


def _answered_with(do: DeedCommand, type: str) -> bool:
    if do.handled is None or do.handled.outcome is not Outcome.HANDLED:
        return False
    return any(one.type == type for one in came_of(do.handled).caused)


def _may_be_stuck(evidence: Evidence, deed: Deed) -> bool:
    """Whether its undo was given up at some time, or could not be made."""
    return deed.undo_raises or deed.undo.is_poison or evidence.given_up(deed.name, of_undo=True)


def _settled_before(evidence: Evidence, deed: str, place: int) -> bool:
    undos = evidence.orders.get((deed, True), [])
    return any(undo.has_settled and 0 <= undo.place < place for undo in undos)
