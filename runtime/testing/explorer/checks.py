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
from runtime.saga.node import (
    ApprovalDefinition,
    AwaitDefinition,
    EachDefinition,
    FirstOfDefinition,
    Meaning,
    Node,
    PastPivot,
    Role,
    StepDefinition,
)
from runtime.saga.view import OPEN, Phase
from runtime.testing.explorer.driver import SagaDriver, Taken, View
from runtime.testing.explorer.moves import Moved
from runtime.testing.explorer.person import PersonsAct
from runtime.testing.explorer.rests import Rests
from runtime.testing.explorer.wholes import Wholes, owes
from runtime.testing.explorer.world import AGAIN, DONE, WAITING, SagaWorld, SentCommand, Truth

__all__ = ["AUTHOR", "Breach", "Checks"]

AUTHOR = "author"
"""The check of the author's functions. It has no number."""

_DOABLE = (StepDefinition, ApprovalDefinition, EachDefinition, FirstOfDefinition)
_BACK = (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)
_FORWARD = (SagaRecord.RUNNING, SagaRecord.COMPLETED)


class Breach(NamedTuple):
    check: str  # I1 to I15, or AUTHOR.
    what: str


class Checks:
    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._definition = driver.definition
        self._places = driver.places
        self._nodes = driver.places.nodes
        self._wholes = Wholes(driver.places)
        self._rests = Rests(driver, self._wholes)
        self._left_aside: dict[int, bool] = {}  # By record: whether a task is passed over or left out, or is to be.

    def of_move(self, before: SagaWorld, moved: Moved) -> Iterable[Breach]:
        """What is wrong with how the saga takes an input, and with what it sends."""
        if moved.taken is not None:
            yield from self._taking(before, moved.taken)
            for place, state in moved.taken.undos:
                if moved.heard.truths[place].state not in (-1, state):
                    name = self._nodes[place].name
                    yield Breach("I6", f"step {name} is undone by another state than the one in which it was done")
            for command in moved.taken.sent:
                yield from self._sending(before, moved.heard, command, self._driver.views[moved.taken.record])
            if moved.move.input is not None and moved.move.input.act is not None:
                yield from self._deciding(before, moved.move.input.act, moved.taken)

    def of_state(self, world: SagaWorld) -> Iterable[Breach]:
        """What is wrong with a world, whichever way led there."""
        view = self._driver.views[world.record]
        for node, truth in zip(self._nodes, world.truths, strict=False):
            if truth.effect == AGAIN:
                yield Breach("I6", f"step {node.name} took effect after it was undone")
        if self._leaves_aside(world.record, view):
            yield from self._passed_over(world, view)
            yield from self._left_out(world, view)
        if view.status == SagaRecord.COMPLETED:
            yield from self._completed(world)
        elif view.status == SagaRecord.COMPENSATED:
            yield from self._compensated(world)
        elif view.status == SagaRecord.STUCK and not self._rests.named(view):
            yield Breach("I4", f"it is stuck, and its record names no step: {view.stuck_reason!r}")
        if self._driver.is_at_rest(world):
            yield from (Breach("I4", what) for what in self._rests.of(world, view))

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
        if views[before.record].heading in _BACK and views[taken.record].heading in _FORWARD:
            yield Breach("I11", "it goes on after it has turned back")
        for name in views[taken.record].stuck:
            if name not in views[before.record].stuck and not taken.alarm:
                yield Breach("I4", f"step {name} has got stuck, and no alarm is raised")

    # --- what it sends ---

    def _deciding(self, before: SagaWorld, act: PersonsAct, taken: Taken) -> Iterable[Breach]:
        """What a person may not decide, or has not been asked, decides nothing."""
        if taken.record == before.record:
            return
        name, phases = self._nodes[act.place].name, self._driver.views[before.record].phases
        if act.is_wrong:
            yield Breach("I6", f"{name} is decided by {act.by}")
        elif phases[act.place] is not Phase.TO_APPROVE:
            yield Breach("I6", f"{name} is decided when nobody is asked")

    # --- what it sends ---

    def _sending(self, before: SagaWorld, heard: SagaWorld, command: SentCommand, after: View) -> Iterable[Breach]:
        step, whole = self._places.step(command.step), self._wholes.of(command.step)
        if command.undo:
            view = self._driver.views[before.record]
            # Many undos of a list wait for one another. A refusal that comes meanwhile is known to the guard alone.
            has_waited = whole is not None and view.phases[command.step] is Phase.OWED
            if heard.truths[command.step].refusal_told and not (_may_go_on(step) or has_waited):
                yield Breach("I6", f"step {step.name} is undone, although it was refused")
            yield from self._undo_may_be_sent(heard, step, command, after)
            if whole is not None:
                yield from (Breach("I6", what) for what in self._wholes.undoing(whole, command, view, after))
            elif after.heading == SagaRecord.RUNNING:
                yield Breach("I6", f"step {step.name} is undone, and the saga has not turned back")
        elif command.probes:
            if self._driver.views[before.record].phases[command.step] not in OPEN:
                yield Breach("I6", f"{step.name} is probed although it does not wait for an outcome")
        elif step.role is Role.CLOSING:
            for one in self._owing(heard, self._wholes.flow(len(heard.truths))):
                yield Breach("I11", f"{step.name} says that all is undone before the undo of {one.name} is confirmed")
        else:
            if self._driver.views[before.record].heading in _BACK:
                yield Breach("I6", f"{step.name} is asked although the saga has turned back")
            for missing in self._missing_before(step, heard, after):
                yield Breach("I6", f"{step.name} is asked before {missing}")
            if whole is not None:
                yield from (Breach("I6", what) for what in self._wholes.asking(whole, heard, command, after))
        if (step.role is Role.CLOSING or self._turns_back(command, after)) and heard.pivot_told:
            yield Breach("I6", f"it turns back after its pivot was confirmed: {self._called(command)} is sent")

    def _turns_back(self, command: SentCommand, after: View) -> bool:
        """Whether this undoes what the saga has not gone on without."""
        return command.undo and (self._places.within[command.step] is None or after.heading in _BACK)

    def _missing_before(self, node: Node, heard: SagaWorld, view: View) -> Iterable[str]:
        """What has to be done first, and is not, but for what was passed over; waits and choices between are none."""
        for index in node.before:
            earlier, phase = self._nodes[index], view.phases[index]
            if phase is Phase.PASSED or not isinstance(earlier, _DOABLE):
                yield from self._missing_before(earlier, heard, view)
            elif isinstance(earlier, EachDefinition | FirstOfDefinition):
                for missing in self._wholes.missing(earlier, heard, view):
                    yield f"{earlier.name}, which it follows: {missing}"
            elif not (_may_go_on(earlier) or phase is Phase.LEFT_OUT) and heard.truths[index].effect != DONE:
                yield f"{earlier.name}, which it follows, is done"

    def _leaves_aside(self, record: int, view: View) -> bool:
        aside = self._left_aside.get(record)
        if aside is None:
            aside = bool(view.unchosen) or Phase.PASSED in view.phases or Phase.LEFT_OUT in view.phases
            self._left_aside[record] = aside
        return aside

    def _passed_over(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        """What is passed over was never asked, and for a reason that the record keeps."""
        for node, phase, truth in zip(self._nodes, view.phases, world.truths, strict=False):
            if phase is Phase.PASSED and truth.dos:
                yield Breach("I6", f"step {node.name} was passed over, and has been asked")
            whole = self._wholes.of(node.index)
            if phase is Phase.PASSED and whole is not None:
                if not self._wholes.is_enough(whole, world, view):
                    yield Breach("I6", f"{node.name} was passed over, and {whole.name} still needs it")
            elif phase is Phase.PASSED and node.index not in view.unchosen and not view.has_ended_early:
                yield Breach("I6", f"{node.name} was passed over, and neither a choice nor an early end says so")
            if phase is not Phase.PASSED and node.index in view.unchosen:
                yield Breach("I6", f"{node.name} is in the branch that was not taken, and was not passed over")

    def _left_out(self, world: SagaWorld, view: View) -> Iterable[Breach]:
        """What is left out was declared to be, and has been asked as often as its budget says."""
        for step in self._wholes.flow(len(world.truths)):
            if view.phases[step.index] is not Phase.LEFT_OUT:
                continue
            working = self._places.meaning[step.index][Meaning.WORKING]
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
        if truth.undone_told:
            yield Breach("I2", f"step {step.name} is undone once more after its undo was confirmed")
        if command.undoes != len(truth.dos):
            yield Breach("I6", f"the undo of step {step.name} names a command that is not the last of that step")
        for later in self._owing(heard, self._wholes.later(step, len(heard.truths))):
            if later.name in after.stuck and self._definition.undoes_past_stuck:
                continue
            if len(heard.truths[step.index].undos) and self._definition.undoes_past_stuck:
                continue  # It was begun while a later one was stuck, and is asked once more.
            yield Breach("I6", f"step {step.name} is undone before the undo of {later.name}, which came after it")
        pivot = self._definition.pivot
        firm = pivot is not None and pivot.undo is None and self._turns_back(command, after)
        if pivot is not None and firm and self._may_be_done(heard.truths[pivot.index]):
            yield Breach(
                "I6", f"step {step.name} is undone while the pivot {pivot.name}, which has no undo, may be done"
            )

    def _owing(self, world: SagaWorld, steps: Iterable[StepDefinition]) -> Iterable[StepDefinition]:
        """The steps whose undo is owed and not confirmed."""
        for step in steps:
            if owes(step, world.truths[step.index]):
                yield step

    @staticmethod
    def _may_be_done(truth: Truth) -> bool:
        return truth.effect == DONE or WAITING in truth.dos

    def _called(self, command: SentCommand) -> str:
        step = self._places.step(command.step)
        contract = step.undo_command if command.undo else step.command
        return "" if contract is None else contract.name

    # --- states ---

    def _completed(self, world: SagaWorld) -> Iterable[Breach]:
        view = self._driver.views[world.record]
        for node in self._definition.flow_nodes:
            if not isinstance(node, _DOABLE) or view.phases[node.index] in (Phase.PASSED, Phase.LEFT_OUT):
                continue
            if isinstance(node, EachDefinition | FirstOfDefinition):
                for missing in self._wholes.missing(node, world, view):
                    yield Breach("I2", f"it says completed, and {missing}")
            elif world.truths[node.index].effect != DONE and not _may_go_on(node):
                yield Breach("I2", f"it says completed, and step {node.name} has no effect in place")
        if world.cancelled:
            yield Breach("I11", "it says completed, after a client was told that it turns back")
        yield from self._no_timers(world)

    def _compensated(self, world: SagaWorld) -> Iterable[Breach]:
        for step in self._wholes.flow(len(world.truths)):
            truth = world.truths[step.index]
            owed = step.role is Role.PIVOT or (step.undo is not None and not truth.waived)
            if owed and truth.effect == DONE:
                yield Breach("I5", f"it says compensated, and the effect of step {step.name} is in place")
            if owed and self._still_to_come(world, step.index):
                yield Breach("I11", f"it says compensated, and step {step.name} may still take effect")
        for step in self._owing(world, self._wholes.flow(len(world.truths))):
            yield Breach("I11", f"it says compensated, and the undo of step {step.name} was not confirmed")
        for step in self._definition.closing_steps:
            if world.truths[step.index].effect != DONE:
                yield Breach("I11", f"it says compensated, and {step.name} was not carried out")
        yield from self._no_timers(world)

    @staticmethod
    def _still_to_come(world: SagaWorld, index: int) -> bool:
        dos = world.truths[index].dos
        coming = [one for one in world.commands if one.step == index and not (one.undo or one.probes)]
        return any(dos[one.attempt - 1] == WAITING for one in coming)

    @staticmethod
    def _no_timers(world: SagaWorld) -> Iterable[Breach]:
        if world.timers:
            yield Breach("I10", f"it has ended, and the timer {world.timers[0]!r} is left over")


def _may_go_on(node: Node) -> bool:
    """Whether the saga may go on although this has not happened: its time was over before its event came."""
    return isinstance(node, AwaitDefinition | ApprovalDefinition) and node.goes_on
