"""Everything that may happen next in a world, and the world after it.

begin     the event that starts the saga comes              deliver   an answer comes to the saga, or comes twice
handle    a participant takes up a command                  timer     one fires
cancel    a client asks to turn back                        replay    an operator has a dead letter handled
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import Meaning, Role
from runtime.saga.timer_names import DEADLINE
from runtime.saga.view import OPEN, Phase
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.driver import Input, SagaDriver, Taken
from runtime.testing.explorer.participant import Cost, Handled
from runtime.testing.explorer.person import persons_acts
from runtime.testing.explorer.probing import ASKING, ProbedParticipants, meaning_of
from runtime.testing.explorer.undo_states import with_states
from runtime.testing.explorer.world import (
    DONE,
    NOTHING,
    PARKED,
    Left,
    Reply,
    SagaWorld,
    SentCommand,
    Truth,
    with_sent,
    with_truth,
)

__all__ = ["Move", "Moved", "Moves", "spent"]


class Move(NamedTuple):
    """One thing that happens: a participant handles a command, or an input comes to the saga."""

    command: SentCommand | None = None
    handled: Handled | None = None
    input: Input | None = None
    again: bool = False  # The answer will come once more.
    replayed: bool = False  # An operator replayed the command.


class Moved(NamedTuple):
    move: Move
    heard: SagaWorld  # With the input, before the saga takes it. Without an input it is `after`.
    after: SagaWorld
    left: Left  # What is left after the move.
    taken: Taken | None  # How the saga took the input.
    first: Moved | None = None  # The move that was made just before, in one with this one.

    @property
    def parts(self) -> tuple[Moved, ...]:
        """Each single move, in order."""
        return (self,) if self.first is None else (*self.first.parts, self)


class Moves:
    """The rules of one exploration."""

    def __init__(self, driver: SagaDriver, bounds: Bounds) -> None:
        self._driver = driver
        self._places = driver.places
        self._participants = ProbedParticipants(driver)
        self.all_left = Left(
            bounds.faults_max,
            bounds.silences_max,
            bounds.duplicates_max,
            bounds.cancels_max,
            bounds.poisons_max,
            bounds.replays_max,
            bounds.workings_max,
        )

    def beginning(self) -> SagaWorld:
        return SagaWorld(self._driver.nothing, (), (), (), tuple(Truth() for _ in self._driver.definition.nodes))

    def of(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        """All that may happen next, always in the same order."""
        if world.record == self._driver.nothing:
            yield from self._begin(world, left)
            return
        yield from self._handle(world, left)
        yield from self._deliver(world, left)
        yield from self._fire(world, left)
        yield from self._ask(world, left)
        yield from self._decide(world, left)
        if left.replays:
            yield from self._replay(world, left)

    def every(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        """What `of` leaves out because it seemed to make no difference; nothing here."""
        return ()

    def usable(self, world: SagaWorld, left: Left) -> Left:
        """What is left, without what can have no effect any more; all of it here."""
        return left

    # --- participants ---

    def _handle(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        for command in world.commands:
            for handled in self._participants.handle(world, command):
                then = spent(left, handled.cost)
                if then is not None:
                    after = self._after(world, command, handled)
                    yield Moved(Move(command, handled), after, after, then, None)

    def _replay(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        """An operator replays the dead letter that a saga is stuck on, and its cause is gone."""
        view = self._driver.views[world.record]
        if view.status != SagaRecord.STUCK:
            return
        then = left._replace(replays=left.replays - 1)
        for command in self._dead_letters(world, view.phases):
            poisoned = tuple(one for one in world.poisoned if one != (command.step, command.undo))
            for handled in self._participants.replay(world, command):
                after = self._after(world._replace(poisoned=poisoned), command, handled)
                yield Moved(Move(command, handled, replayed=True), after, after, then, None)

    def _dead_letters(self, world: SagaWorld, phases: tuple[Phase | None, ...]) -> Iterable[SentCommand]:
        """The last command of each step that was given up on, once the saga knows so."""
        for index, (truth, phase) in enumerate(zip(world.truths, phases, strict=True)):
            undo = phase is Phase.OWED
            fates = truth.undos if undo else truth.dos if phase is Phase.UNKNOWN else ()
            known = all((one.command.step, one.command.undo) != (index, undo) for one in world.replies)
            if fates and fates[-1] == PARKED and known:
                yield SentCommand(index, undo, len(fates), 0, (), "")

    @staticmethod
    def _after(world: SagaWorld, command: SentCommand, handled: Handled) -> SagaWorld:
        """The world after a command was handled; its answer is on its way."""
        commands = [one for one in world.commands if one != command]
        if handled.removes_do:
            commands = [one for one in commands if (one.step, one.undo, one.attempt) != _do_of(command, handled)]
        replies, poisoned = world.replies, world.poisoned
        if handled.answer is not None:
            replies = tuple(sorted((*replies, Reply(command, handled.answer))))
        if handled.cost.poisons:
            poisoned = tuple(sorted((*poisoned, (command.step, command.undo))))
        truths = with_truth(world.truths, command.step, handled.truth)
        return SagaWorld(
            world.record,
            world.timers,
            tuple(commands),
            replies,
            truths,
            poisoned,
            world.pivot_told,
            world.cancelled,
        )

    # --- the saga ---

    def _begin(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        for number in range(len(self._driver.events)):
            yield self._take(world, left, Move(input=Input(event=number)))

    def _ask(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        """Inputs from outside: a client cancels, or the starting event comes once more."""
        if left.cancels:
            yield self._take(world, left._replace(cancels=left.cancels - 1), Move(input=Input(cancel=True)))
        if self.all_left.duplicates:  # It costs nothing, since it should change nothing.
            yield from (moved for moved in self._begin(world, left) if not _is_noted(moved.taken))

    def _decide(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        """A person decides about an approval; or decides wrongly, or late, which changes nothing."""
        for node in self._places.approvals:
            is_asked = self._driver.views[world.record].phases[node.index] is Phase.TO_APPROVE
            for act in persons_acts(node.index):
                heard = world
                if is_asked and act.approves and not act.is_wrong:
                    truth = world.truths[node.index]._replace(effect=DONE)
                    heard = world._replace(truths=with_truth(world.truths, node.index, truth))
                moved = self._take(heard, left, Move(input=Input(act=act)))
                if not _is_refused(moved.taken, world):
                    yield moved

    def _deliver(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        replies = world.replies
        for place, reply in enumerate(replies):
            if place and reply == replies[place - 1]:
                continue  # One of two equal replies is enough.
            yield self._hear(world, left, reply)
            if left.duplicates:
                then = left._replace(duplicates=left.duplicates - 1)
                yield self._take(self._told(world, reply), then, Move(input=Input(reply), again=True))

    def _hear(self, world: SagaWorld, left: Left, reply: Reply) -> Moved:
        """A reply that is on its way comes to the saga."""
        replies, place = world.replies, world.replies.index(reply)
        rest = replies[:place] + replies[place + 1 :]
        return self._take(self._told(world, reply)._replace(replies=rest), left, Move(input=Input(reply)))

    def _fire(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        view = self._driver.views[world.record]
        for name in world.timers:
            then = left
            place = None if name == DEADLINE else self._places.of_timer(name)
            if place is not None and view.phases[place] in ASKING and world.concerns(place):
                if not left.silences:
                    continue  # The answer comes in time.
                then = left._replace(silences=left.silences - 1)
            timers = tuple([one for one in world.timers if one != name])
            yield self._take(world._replace(timers=timers), then, Move(input=Input(timer=name)))

    def _told(self, world: SagaWorld, reply: Reply) -> SagaWorld:
        """The world in which the saga knows for sure what this reply says."""
        command, answer = reply
        truth = world.truths[command.step]
        if command.undo:
            known = answer == NOTHING or answer in self._places.undone[command.step]
            if not known or truth.undone_told:
                return world
            return world._replace(truths=with_truth(world.truths, command.step, truth._replace(undone_told=True)))
        meaning = meaning_of(self._driver, truth, reply)
        if meaning is Meaning.REFUSED:
            return world._replace(truths=with_truth(world.truths, command.step, truth._replace(refusal_told=True)))
        if self._places.nodes[command.step].role is Role.PIVOT and meaning is Meaning.DONE:
            view = self._driver.views[world.record]
            if view.heading == SagaRecord.RUNNING and view.phases[command.step] in OPEN:
                return world._replace(pivot_told=True)
        return world

    def _take(self, heard: SagaWorld, left: Left, move: Move) -> Moved:
        """The world after the input of a move has come to the saga."""
        assert move.input is not None
        taken = self._driver.take(heard.record, move.input)
        if taken.changes_nothing:
            return Moved(move, heard, heard, left, taken)
        heard = self._of_tasks(heard, taken)
        if taken.waived:
            heard = heard._replace(truths=_waived(heard.truths, taken.waived))
        after = SagaWorld(
            taken.record,
            _changed(heard.timers, taken.timers) if taken.timers else heard.timers,
            tuple(sorted((*heard.commands, *taken.sent))) if taken.sent else heard.commands,
            heard.replies,
            with_states(self._driver, heard, _sent(heard.truths, taken.sent) if taken.sent else heard.truths, taken),
            heard.poisoned,
            heard.pivot_told,
            heard.cancelled or "CancelAccepted" in taken.said,
        )
        return Moved(move, heard, after, left, taken)

    def _of_tasks(self, world: SagaWorld, taken: Taken) -> SagaWorld:
        """With a truth for each place of the record: a list that was begun has brought new ones."""
        missing = len(self._driver.views[taken.record].phases) - len(world.truths)
        return world._replace(truths=(*world.truths, *[Truth()] * missing)) if missing > 0 else world


def _waived(truths: tuple[Truth, ...], steps: tuple[int, ...]) -> tuple[Truth, ...]:
    for step in steps:
        truths = with_truth(truths, step, truths[step]._replace(waived=True))
    return truths


def _sent(truths: tuple[Truth, ...], commands: tuple[SentCommand, ...]) -> tuple[Truth, ...]:
    for command in commands:
        truths = with_truth(truths, command.step, with_sent(truths[command.step], command))
    return truths


def _is_noted(taken: Taken | None) -> bool:
    """Says whether an input has no effect but a note in the history."""
    return taken is not None and taken.changes_nothing and bool(taken.note) and not taken.mistakes


def _is_refused(taken: Taken | None, world: SagaWorld) -> bool:
    """Says whether an input has no effect but an answer, and a note in the history."""
    return taken is not None and taken.record == world.record and bool(taken.note) and not (taken.sent or taken.timers)


def _changed(timers: tuple[str, ...], changes: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    names = set(timers)
    for name, is_set in changes:
        (names.add if is_set else names.discard)(name)
    return tuple(sorted(names))


def _do_of(undo: SentCommand, handled: Handled) -> tuple[int, bool, int]:
    return undo.step, False, handled.removes_do


def spent(left: Left, cost: Cost) -> Left | None:
    """What is left after this cost; None if it is more than is left."""
    if not any(cost):
        return left
    faults, silences, poisons = left.faults - cost.faults, left.silences - cost.silences, left.poisons - cost.poisons
    workings = left.workings - cost.workings
    if min(faults, silences, poisons, workings) < 0:
        return None
    return left._replace(faults=faults, silences=silences, poisons=poisons, workings=workings)
