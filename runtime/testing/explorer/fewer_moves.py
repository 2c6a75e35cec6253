"""Fewer moves that lead to the same ends and break the same promises. A search with these sees far fewer worlds.

A participant takes up a command as late as possible: just before its answer comes to the saga, or before another
    command of the same step is taken up. In between, nothing else looks at that step's participant. So every schedule
    has the same outcome as one in which these stand side by side, and both are made in one move. (This is a partial
    order reduction, after P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996.)
    The bounds are no obstacle: a schedule costs the same in any order. While a saga is stuck, an operator may replay
    the dead letter of a step, which looks at that step's participant too. Nothing of that step is put off then.

A copy of an answer is made when it comes, from what the participant has answered and the saga has heard. Until then,
    nothing tells a world with a copy on its way from one without.

A do that a tombstone will refuse is dropped. Whenever it comes, it is refused, without an answer.

A probe whose every answer the saga would only note is dropped on its way, if it cannot rule out a do any more. Its
    answers are left out as late ones are, and proved to be void with them.

A late answer that the saga only notes is dropped, and so is what became of commands that are settled for good.
    `Leftovers` proves at the end that none of them could have had an effect.

A saga that has turned back is the same whether a client cancels it or not. From then on a cancellation is only
    answered, which `Leftovers` proves too. That a client was told so makes no difference either: a check finds each
    saga that goes on after it has turned back.

That a step faults each time is forgotten once no command can come to it any more. Its do is never asked after the saga
    has turned back, and its undo not after it was confirmed: checks find each command that breaks this.

A saga that has turned back is the same however its settled steps went. The search goes on with one record for all that
    differ in this alone; `Alike` tries at the end whether the others make the same of everything.

What is left of the bounds is forgotten where the saga rests and no move is possible: nothing can use it.

The checks look at participants too. A breach never needs a command to be taken up early, with one exception: a saga
that says compensated too early. So a world in which a breach was found is searched with all moves of participants.
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import Role
from runtime.saga.view import OPEN, Phase
from runtime.testing.explorer.alike import Alike
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.driver import Input, SagaDriver, View
from runtime.testing.explorer.leftovers import Leftovers, plain
from runtime.testing.explorer.moves import Move, Moved, Moves, spent
from runtime.testing.explorer.participant import Handled
from runtime.testing.explorer.world import (
    FAILED,
    FAULT,
    GONE,
    NONE,
    PARKED,
    SETTLED,
    UNDONE,
    WAITING,
    Left,
    Reply,
    SagaWorld,
    SentCommand,
    Truth,
    with_truth,
)

__all__ = ["FewerMoves"]

_BACK = (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)
_UNHEARD = (WAITING, GONE, SETTLED)
_ALL_SETTLED = {SETTLED}
_NOTHING = Left(0, 0, 0, 0, 0, 0, 0)


class FewerMoves(Moves):
    """The rules of one exploration, without what makes no difference."""

    def __init__(self, driver: SagaDriver, bounds: Bounds, leftovers: Leftovers, alike: Alike) -> None:
        super().__init__(driver, bounds)
        self._leftovers = leftovers
        self._alike = alike

    def of(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        for moved in super().of(world, left):
            yield self._without_leftovers(moved)

    def every(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        yield from super()._handle(world, left)
        yield from super()._deliver(world, left)

    # --- participants ---

    def _handle(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        for step in dict.fromkeys(one.step for one in world.commands):
            yield from self._handle_in_turn(world, left, step, None)

    def _handle_in_turn(self, world: SagaWorld, left: Left, step: int, first: Moved | None) -> Iterable[Moved]:
        """One or several commands of a step are taken up, one after another, and the last answer is heard at once."""
        may_wait = bool(left.replays) and self._may_be_replayed(world, step)
        mine = [one for one in world.commands if one.step == step]
        for command in mine:
            for handled in self._participants.handle(world, command):
                then = spent(left, handled.cost)
                if then is None:
                    continue
                after = self._after(world, command, handled)
                moved = Moved(Move(command, handled), after, after, then, None, first)
                if handled.answer is None or may_wait:
                    yield moved
                if handled.answer is not None:
                    yield self._hear(after, then, Reply(command, handled.answer))._replace(first=moved)
                if len(mine) > 1:
                    yield from self._handle_in_turn(after, then, step, moved)

    def _may_be_replayed(self, world: SagaWorld, step: int) -> bool:
        """Says whether an operator may have a command of this step handled now."""
        view = self._driver.views[world.record]
        is_stuck = view.status == SagaRecord.STUCK
        return is_stuck and any(one.step == step for one in self._dead_letters(world, view.phases))

    @staticmethod
    def _after(world: SagaWorld, command: SentCommand, handled: Handled) -> SagaWorld:
        after = Moves._after(world, command, handled)
        dos = after.truths[command.step].dos
        if GONE not in dos:
            return after
        refused = [(command.step, False, number) for number, fate in enumerate(dos, 1) if fate == GONE]
        return after._replace(commands=tuple([one for one in after.commands if one[:3] not in refused]))

    # --- the saga ---

    def _deliver(self, world: SagaWorld, left: Left) -> Iterable[Moved]:
        for reply in dict.fromkeys(world.replies):
            yield self._hear(world, left, reply)
        if left.duplicates:
            then = left._replace(duplicates=left.duplicates - 1)
            coming = {plain(one) for one in world.replies}
            for index, truth in enumerate(world.truths):
                for reply in _answers(index, truth):
                    if reply not in coming and not self._leftovers.is_void(world.record, Input(reply)):
                        yield self._take(self._told(world, reply), then, Move(input=Input(reply), again=True))

    def _take(self, heard: SagaWorld, left: Left, move: Move) -> Moved:
        moved = super()._take(heard, left, move)
        first = self._alike.first(moved.after.record)
        if first != moved.after.record:
            moved = moved._replace(after=moved.after._replace(record=first))
        if first != heard.record:
            self._leftovers.follow(heard.record, first)
        return moved

    # --- what is left over ---

    def usable(self, world: SagaWorld, left: Left) -> Left:
        """Without the cancellations of a saga that has turned back; nothing where no move is possible."""
        is_back = self._driver.views[world.record].heading in _BACK
        if left.cancels and is_back and self._leftovers.assume_cancelled(world.record):
            left = left._replace(cancels=0)
        if self._driver.is_at_rest(world) and not any(True for _ in self.of(world, left)):
            return _NOTHING
        return left

    def _without_leftovers(self, moved: Moved) -> Moved:
        if moved.taken is None:
            return moved
        world, view = moved.after, self._driver.views[moved.after.record]
        late = [one for one in world.replies if self._is_late(world, view, one)]
        if late:
            for reply in late:
                world = self._told(world, reply)
            world = world._replace(replies=tuple([one for one in world.replies if one not in late]))
        late_probes = [one for one in world.commands if one.probes and self._is_late_probe(world, view, one)]
        if late_probes:
            world = world._replace(commands=tuple([one for one in world.commands if one not in late_probes]))
        if view.heading in _BACK:
            world = self.settled(world, moved.left)
        return moved if world is moved.after else moved._replace(after=world)

    def _is_late(self, world: SagaWorld, view: View, reply: Reply) -> bool:
        """Says whether a reply is only noted, now and later, and tells nothing that a check goes by."""
        step = reply.command.step
        if view.phases[step] in OPEN or view.phases[step] is Phase.WAITING:
            return False
        tells = not world.truths[step].undone_told and self._told(world, reply) != world
        return not tells and self._leftovers.assume(world.record, reply)

    def _is_late_probe(self, world: SagaWorld, view: View, probe: SentCommand) -> bool:
        """Says whether nothing comes of a probe on its way: it rules out no do, and each answer is only noted.

        What became of its dos stays by then, so an answer of today is the one that it would get later.
        """
        truth = world.truths[probe.step]
        if any(truth.dos[number - 1] in (WAITING, PARKED) for number in probe.probes):
            return False
        ways = list(self._participants.handle(world, probe))
        return all(one.answer is not None and self._is_late(world, view, Reply(probe, one.answer)) for one in ways)

    def settled(self, world: SagaWorld, left: Left) -> SagaWorld:
        """The world of a saga that has turned back, without what became of the commands of settled steps.

        Nor does it say whether a client has cancelled, or what will fault each time if it is asked again.
        """
        if world.cancelled:
            world = world._replace(cancelled=False)
        if world.poisoned:
            world = world._replace(poisoned=tuple(one for one in world.poisoned if self._may_come(world, *one)))
        busy = {one.step for one in world.commands} | {one.command.step for one in world.replies}
        phases = self._driver.views[world.record].phases
        for index, truth in enumerate(world.truths):
            is_refused = truth.refusal_told and phases[index] is Phase.REFUSED
            if index in busy or not (truth.undone_told or is_refused):
                continue
            if truth.effect != UNDONE and {*truth.dos, *truth.undos} <= _ALL_SETTLED:
                continue
            copies = _answers(index, truth) if left.duplicates else ()
            if all(self._leftovers.assume(world.record, one) for one in copies):
                world = world._replace(truths=with_truth(world.truths, index, _settled(truth)))
        return world

    def _may_come(self, world: SagaWorld, step: int, undo: bool) -> bool:
        """Says whether a do, or an undo, may still come to the participant of a step in a saga that has turned back."""
        if any(one.step == step and one.undo == undo and not one.probes for one in world.commands):
            return True
        if undo:
            return not world.truths[step].undone_told
        return self._places.nodes[step].role is Role.CLOSING


def _settled(truth: Truth) -> Truth:
    effect = NONE if truth.effect == UNDONE else truth.effect
    dos, undos = (SETTLED,) * len(truth.dos), (SETTLED,) * len(truth.undos)
    return truth._replace(effect=effect, dos=dos, undos=undos)


def _answers(step: int, truth: Truth) -> Iterable[Reply]:
    """What the participant has answered."""
    for undo, fates in ((False, truth.dos), (True, truth.undos)):
        for attempt, fate in enumerate(fates, 1):
            if fate not in _UNHEARD:
                answer = FAULT if fate in (PARKED, FAILED) else fate
                yield Reply(SentCommand(step, undo, attempt, 0, (), ""), answer)
