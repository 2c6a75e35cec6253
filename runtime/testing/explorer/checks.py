"""What must hold in every schedule. Each breach is a sentence that names the step.

The numbers are those of the invariants of whole clusters. The checks go by what really happened at the participants,
and by what the saga was told of it. They do not go by the saga's record.

    of what the saga sends   I2, I6    it undoes what may have happened, last first, once; then it never goes on
    of what it takes         I9        it drops nothing without a note; the author's functions do not fail
    of each state            I2, I5, I6, I10, I11
    of states at rest        I4
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import AwaitDefinition, Meaning, Node, PastPivot, Role, StepDefinition
from runtime.saga.view import OWING, Phase
from runtime.testing.explorer.driver import SagaDriver, Taken, View
from runtime.testing.explorer.moves import Moved
from runtime.testing.explorer.world import AGAIN, DONE, NOTHING, PARKED, WAITING, SagaWorld, SentCommand, Truth

__all__ = ["AUTHOR", "Breach", "Checks"]

AUTHOR = "author"
"""The check of the author's functions. It has no number."""

_BACK = (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)


class Breach(NamedTuple):
    check: str  # I1 to I15, or AUTHOR.
    what: str


class Checks:
    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._definition = driver.definition
        self._nodes = driver.definition.nodes
        self._steps = {step.index: step for step in driver.definition.steps}
        self._flow = driver.definition.flow_steps

    def of_move(self, before: SagaWorld, moved: Moved) -> Iterable[Breach]:
        """What is wrong with how the saga takes an input, and with what it sends."""
        if moved.taken is not None:
            yield from self._taking(before, moved.taken)
            for command in moved.taken.sent:
                yield from self._sending(before, moved.heard, command, self._driver.views[moved.taken.record])

    def of_state(self, world: SagaWorld) -> Iterable[Breach]:
        """What is wrong with a world, whichever way led there."""
        view = self._driver.views[world.record]
        for node, truth in zip(self._nodes, world.truths, strict=True):
            if truth.effect == AGAIN:
                yield Breach("I6", f"step {node.name} took effect after it was undone")
        yield from self._passed_over(world, view)
        yield from self._left_out(world, view)
        if view.status == SagaRecord.COMPLETED:
            yield from self._completed(world)
        elif view.status == SagaRecord.COMPENSATED:
            yield from self._compensated(world)
        elif view.status == SagaRecord.STUCK and not self._named(view):
            yield Breach("I4", f"it is stuck, and its record names no step: {view.stuck_reason!r}")
        if world.is_at_rest:
            yield from self._rest(world, view)

    # --- what the saga makes of an input ---

    def _taking(self, before: SagaWorld, taken: Taken) -> Iterable[Breach]:
        for mistake in taken.mistakes:
            yield Breach(AUTHOR, mistake)
        if taken.crash:
            yield Breach("I9", f"the saga cannot take this: {taken.crash}")
        if taken.ignored and (taken.record != before.record or taken.sent):
            yield Breach("I9", f"it is said to be ignored ({taken.note}), and has an effect all the same")
        elif taken.changes_nothing and not taken.note and not taken.mistakes:
            yield Breach("I9", "it has no effect, and the history would not say why")
        views = self._driver.views
        for name in views[taken.record].stuck:
            if name not in views[before.record].stuck and not taken.alarm:
                yield Breach("I4", f"step {name} has got stuck, and no alarm is raised")

    # --- what it sends ---

    def _sending(self, before: SagaWorld, heard: SagaWorld, command: SentCommand, after: View) -> Iterable[Breach]:
        step = self._steps[command.step]
        if command.undo:
            yield from self._undo_may_be_sent(heard, step, command, after)
        elif step.role is Role.CLOSING:
            for one in self._owing(heard, self._flow):
                yield Breach("I11", f"{step.name} says that all is undone before the undo of {one.name} is confirmed")
        else:
            if self._driver.views[before.record].heading in _BACK:
                yield Breach("I6", f"{step.name} is asked although the saga has turned back")
            for earlier in self._steps_before(step, after):
                if _may_go_on(earlier) or after.phases[earlier.index] is Phase.LEFT_OUT:
                    continue
                if heard.truths[earlier.index].effect != DONE:
                    yield Breach("I6", f"{step.name} is asked before {earlier.name}, which it follows, is done")
        if (command.undo or step.role is Role.CLOSING) and heard.pivot_told:
            yield Breach("I6", f"it turns back after its pivot was confirmed: {self._called(command)} is sent")

    def _steps_before(self, node: Node, view: View) -> Iterable[StepDefinition]:
        """Those that have to be done first, but for what was passed over; waits and choices between them are none."""
        for index in node.before:
            earlier = self._nodes[index]
            if isinstance(earlier, StepDefinition) and view.phases[index] is not Phase.PASSED:
                yield earlier
            else:
                yield from self._steps_before(earlier, view)

    def _passed_over(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        """What is passed over was never asked, and for a reason that the record keeps."""
        for node, phase, truth in zip(self._nodes, view.phases, world.truths, strict=False):
            if phase is Phase.PASSED and truth.dos:
                yield Breach("I6", f"step {node.name} was passed over, and has been asked")
            if phase is Phase.PASSED and node.index not in view.unchosen and not view.has_ended_early:
                yield Breach("I6", f"{node.name} was passed over, and neither a choice nor an early end says so")
            if phase is not Phase.PASSED and node.index in view.unchosen:
                yield Breach("I6", f"{node.name} is in the branch that was not taken, and was not passed over")

    def _left_out(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        """What is left out was declared to be, and has been asked as often as its budget says."""
        for step in self._flow:
            if view.phases[step.index] is not Phase.LEFT_OUT:
                continue
            working = self._driver.meaning[step.index][Meaning.WORKING]
            asks = sum(fate not in working for fate in world.truths[step.index].dos)
            if step.past_pivot is not PastPivot.SKIP:
                yield Breach("I6", f"step {step.name} is left out, and nothing declares that")
            if asks < step.budget.asks_max and not working:
                yield Breach("I4", f"step {step.name} is left out although it may be asked again")

    def _undo_may_be_sent(
        self, heard: SagaWorld, step: StepDefinition, command: SentCommand, after: View
    ) -> Iterable[Breach]:
        truth = heard.truths[step.index]
        if not truth.dos:
            yield Breach("I6", f"step {step.name} is undone, and was never asked")
        if truth.refusal_told and not _may_go_on(step):
            yield Breach("I6", f"step {step.name} is undone, although it was refused")
        if truth.undone_told:
            yield Breach("I2", f"step {step.name} is undone once more after its undo was confirmed")
        if command.undoes != len(truth.dos):
            yield Breach("I6", f"the undo of step {step.name} names a command that is not the last of that step")
        for later in self._owing(heard, [self._steps[index] for index in step.all_after if index in self._steps]):
            if later.name in after.stuck and self._definition.undoes_past_stuck:
                continue
            if len(heard.truths[step.index].undos) and self._definition.undoes_past_stuck:
                continue  # It was begun while a later one was stuck, and is asked once more.
            yield Breach("I6", f"step {step.name} is undone before the undo of {later.name}, which came after it")
        pivot = self._definition.pivot
        if pivot is not None and pivot.undo is None and self._may_be_done(heard.truths[pivot.index]):
            yield Breach(
                "I6", f"step {step.name} is undone while the pivot {pivot.name}, which has no undo, may be done"
            )

    def _owing(self, world: SagaWorld, steps: Iterable[StepDefinition]) -> Iterable[StepDefinition]:
        """The steps whose undo is owed and not confirmed."""
        for step in steps:
            truth = world.truths[step.index]
            if step.undo is not None and truth.dos and not (truth.refusal_told or truth.undone_told or truth.waived):
                yield step

    @staticmethod
    def _may_be_done(truth: Truth) -> bool:
        return truth.effect == DONE or WAITING in truth.dos

    def _called(self, command: SentCommand) -> str:
        step = self._steps[command.step]
        contract = step.undo_command if command.undo else step.command
        return "" if contract is None else contract.name

    # --- states ---

    def _completed(self, world: SagaWorld) -> Iterable[Breach]:
        view = self._driver.views[world.record]
        for step in self._flow:
            if _may_go_on(step) or view.phases[step.index] is Phase.LEFT_OUT:
                continue
            if world.truths[step.index].effect != DONE and view.phases[step.index] is not Phase.PASSED:
                yield Breach("I2", f"it says completed, and step {step.name} has no effect in place")
        if world.cancelled:
            yield Breach("I11", "it says completed, after a client was told that it turns back")
        yield from self._no_timers(world)

    def _compensated(self, world: SagaWorld) -> Iterable[Breach]:
        for step in self._flow:
            truth = world.truths[step.index]
            owed = step.role is Role.PIVOT or (step.undo is not None and not truth.waived)
            if owed and truth.effect == DONE:
                yield Breach("I5", f"it says compensated, and the effect of step {step.name} is in place")
            if owed and self._still_to_come(world, step.index):
                yield Breach("I11", f"it says compensated, and step {step.name} may still take effect")
        for step in self._owing(world, self._flow):
            yield Breach("I11", f"it says compensated, and the undo of step {step.name} was not confirmed")
        for step in self._definition.closing_steps:
            if world.truths[step.index].effect != DONE:
                yield Breach("I11", f"it says compensated, and {step.name} was not carried out")
        yield from self._no_timers(world)

    @staticmethod
    def _still_to_come(world: SagaWorld, index: int) -> bool:
        dos = world.truths[index].dos
        return any(one.step == index and not one.undo and dos[one.attempt - 1] == WAITING for one in world.commands)

    @staticmethod
    def _no_timers(world: SagaWorld) -> Iterable[Breach]:
        if world.timers:
            yield Breach("I10", f"it has ended, and the timer {world.timers[0]!r} is left over")

    # --- rest ---

    def _rest(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        if view.status in (SagaRecord.RUNNING, SagaRecord.COMPENSATING):
            yield Breach("I4", f"it is {_word(view.status)}, and nothing will ever move it: no message, no timer")
        elif view.status == SagaRecord.STUCK:
            yield from self._left_waiting(world, view)
            named = self._named(view)
            if named and not any(self._spent(world, view, step) for step in named):
                yield Breach("I4", f"it is stuck although nobody has given up for good: {view.stuck_reason}")

    def _left_waiting(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        """Undos that nothing holds up, and that were never begun."""
        for step in self._flow:
            is_owed = view.phases[step.index] is Phase.OWED and step.name not in view.stuck
            if not is_owed or world.truths[step.index].undos:
                continue
            later = [self._steps[index] for index in step.all_after if index in self._steps]
            if not any(self._holds_up(view, one) for one in later):
                yield Breach(
                    "I4", f"it is stuck, and the undo of step {step.name}, which waits for nothing, never begins"
                )

    def _holds_up(self, view: View, later: StepDefinition) -> bool:
        is_past = self._definition.undoes_past_stuck and later.name in view.stuck
        return view.phases[later.index] in OWING and not is_past

    def _named(self, view: View) -> list[StepDefinition]:
        return [step for step in self._steps.values() if step.name in view.stuck_reason]

    def _spent(self, world: SagaWorld, view: View, step: StepDefinition) -> bool:
        """Says whether participants failed this step as often as it may be asked, and have not carried it out since."""
        truth, meaning = world.truths[step.index], self._driver.meaning[step.index]
        back = view.stuck_in == SagaRecord.COMPENSATING and step.role is not Role.CLOSING
        fates = truth.undos if back else truth.dos
        settled = (NOTHING, *self._driver.undone[step.index]) if back else meaning[Meaning.DONE]
        if back and any(fate in self._driver.undo_refused[step.index] for fate in fates):
            return not any(fate in settled for fate in fates)
        failed = any(fate == PARKED or fate in meaning[Meaning.IGNORED] for fate in fates)
        working = self._driver.undo_working[step.index] if back else meaning[Meaning.WORKING]
        asks = sum(fate not in working for fate in fates)
        return failed and asks >= step.budget.asks_max and not any(fate in settled for fate in fates)


def _may_go_on(step: StepDefinition) -> bool:
    """Whether the saga may go on although this step has not happened: its time was over before its event came."""
    return isinstance(step, AwaitDefinition) and step.goes_on


def _word(status: SagaRecord.Status.ValueType) -> str:
    return SagaRecord.Status.Name(status).lower()
