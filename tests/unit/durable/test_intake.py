"""Every way through an actor's intake, beside what really waits in the store: nothing is overtaken or forgotten.

IntakeWorld ──moves──▶ IntakeWorld      all that pushes, turns, sweeps, readings, retries and owners can do next
  └── intake, and what is true: what was left in the store, what a reading has seen, what must not run
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from runtime.durable.residence.intake import (
    OPEN,
    BacklogWanted,
    Blocked,
    Delivered,
    Due,
    Event,
    HasBacklog,
    Intake,
    Open,
    Pushed,
    PutOff,
    ReadingBacklog,
    Sign,
    Todo,
    TurnEnded,
    step,
)

INSTANTS = (1.0, 2.0)
BOTH = (False, True)


@dataclass(frozen=True, slots=True)
class IntakeWorld:
    """One actor, and the truth about its mail. `stage` is where its reading stands."""

    intake: Intake = OPEN
    in_memory: bool = False
    in_mailbox: bool = False
    is_stale: bool = False  # what is in the mailbox comes after mail that was left in the store
    left: bool = False  # mail waits in the store and not in memory
    unread: bool = False  # some of that came after the reading had looked
    planned: bool = False  # a retry was planned after the reading had looked
    refused: bool = False  # the mail of all others has to be read before any of this actor is run
    armed: frozenset[float] = frozenset()
    stage: str = ""
    overflowed: bool = False

    def told(self, event: Event) -> tuple[IntakeWorld, Todo]:
        state, todo = step(self.intake, event)
        after = replace(self, intake=state)
        if todo is Todo.READ and not self.stage:
            after = replace(after, stage="begins")
        if todo is Todo.WAIT:
            assert isinstance(state, Blocked | ReadingBacklog)
            after = replace(after, armed=after.armed | {state.until_s})
        return after, todo

    def leaves_mail(self) -> IntakeWorld:
        return replace(self, left=True, unread=self.unread or self.stage == "reads")

    def leaves_memory(self) -> tuple[IntakeWorld, Todo]:
        return replace(self, in_memory=False, in_mailbox=False, is_stale=False).told(Sign.LEFT_MEMORY)

    def puts_off(self, until_s: float, *, in_turn: bool = False) -> IntakeWorld:
        after = replace(self.told(PutOff(until_s, in_turn))[0], left=True, planned=True)
        return replace(after, is_stale=after.is_stale or (in_turn and after.in_mailbox))


def comes_in(world: IntakeWorld) -> IntakeWorld:
    if world.in_memory:
        return world
    made = replace(world, in_memory=True)
    return made.told(Sign.LEFT)[0] if world.overflowed else made


def pushed(world: IntakeWorld, *, is_undo: bool) -> Iterator[IntakeWorld]:
    world = comes_in(world)
    after, todo = world.told(Pushed(is_undo, is_idle=not world.in_mailbox))
    if todo is not Todo.TAKE:
        yield after.leaves_mail()
        return
    assert not world.left, f"it overtakes what waits in the store: {world}"
    yield replace(after, in_mailbox=True)
    yield after.told(Sign.LEFT)[0].leaves_mail()  # there was no room


def turns(world: IntakeWorld) -> Iterator[IntakeWorld]:
    if not world.in_memory:
        return
    for may_read in BOTH:
        yield replace(world, in_mailbox=False, is_stale=False).told(TurnEnded(is_empty=True, may_read=may_read))[0]
    if world.in_mailbox:
        yield world.told(TurnEnded(is_empty=False, may_read=True))[0]
        yield replace(world.told(Sign.LEFT_OVER)[0], left=True, is_stale=True)
        for until_s in INSTANTS:
            yield world.puts_off(until_s, in_turn=True)
            yield world.leaves_memory()[0].puts_off(until_s)  # the store has failed, or the actor is lent
        for is_refused in BOTH:
            dropped = replace(world.leaves_memory()[0], left=True, refused=world.refused or is_refused)
            yield dropped.told(BacklogWanted(is_refused))[0]
    else:
        after, todo = world.leaves_memory()
        yield replace(after, overflowed=after.overflowed or todo is Todo.OVERFLOW)


def reads(world: IntakeWorld) -> Iterator[IntakeWorld]:
    """What the reading does next."""
    if not world.stage:
        return
    yield lost(world.told(Sign.READ_ENDS)[0])
    if world.stage == "begins":
        after, todo = world.told(Sign.READ_BEGINS)
        if todo is Todo.REREAD_ALL:
            yield replace(after, refused=False)
        else:
            yield replace(after, stage="reads", unread=False, planned=False)
        return
    for until_s in INSTANTS:
        yield replace(world.puts_off(until_s).told(Sign.READ_ENDS)[0], stage="")  # the store has failed
    after, todo = world.told(Sign.MAIL_READ)
    if todo is Todo.READ:
        yield replace(after, stage="begins")
    elif todo is Todo.NOTHING:
        yield replace(after, stage="")
    else:
        assert todo is Todo.DELIVER
        yield from delivers(after)


def delivers(world: IntakeWorld) -> Iterator[IntakeWorld]:
    assert not world.is_stale, f"what is in the mailbox comes after what is delivered: {world}"
    assert not world.planned, f"a retry runs before it is due: {world}"
    assert not world.refused, f"others' mail was not read before: {world}"
    for is_put_off in (None, *INSTANTS):
        found = world if is_put_off is None else world.puts_off(is_put_off)
        waits = is_blocked(found.intake)
        for in_memory in {world.in_memory, True}:
            for more in BOTH:
                after = comes_in(found) if in_memory else found
                after = replace(after, in_mailbox=found.in_mailbox or (in_memory and not waits))
                after = replace(after, left=more or waits or world.unread)
                yield ended(*after.told(Delivered(more and in_memory)), overflowed=more and not in_memory)


def ended(world: IntakeWorld, todo: Todo, *, overflowed: bool) -> IntakeWorld:
    return replace(
        world, stage="begins" if todo is Todo.READ else "", overflowed=world.overflowed or overflowed, planned=False
    )


def lost(world: IntakeWorld) -> IntakeWorld:
    """Another node has the shard; whoever takes it over reads all."""
    after = world.leaves_memory()[0].told(Sign.CLEARED)[0]
    return replace(after, left=False, unread=False, planned=False, refused=False, stage="")


def others(world: IntakeWorld) -> Iterator[IntakeWorld]:
    """What comes from elsewhere: instants, gaps, doubts, sweeps, and the loss of the shard."""
    for until_s in sorted(world.armed):
        yield replace(world, armed=world.armed - {until_s}).told(Due(until_s))[0]
    for until_s in INSTANTS:
        yield world.puts_off(until_s)  # a sweep has found a row that waits
        yield from late(world.puts_off(until_s, in_turn=True))
    missed = world.leaves_mail()
    yield replace(missed.told(Sign.LEFT)[0] if world.in_memory else missed, overflowed=True)
    yield world.told(BacklogWanted())[0]
    if not world.left:
        yield replace(world, overflowed=False)  # a sweep has read all
    yield replace(lost(world), stage=world.stage, intake=step(world.intake, Sign.CLEARED)[0])


def late(world: IntakeWorld) -> Iterator[IntakeWorld]:
    """A turn was committed after its actor had left memory. Another may be there by now, or none."""
    for may_read in BOTH:
        yield world.told(TurnEnded(is_empty=not world.in_mailbox, may_read=may_read))[0]


def moves(world: IntakeWorld) -> Iterator[IntakeWorld]:
    for is_undo in BOTH:
        yield from pushed(world, is_undo=is_undo)
    yield from turns(world)
    yield from reads(world)
    yield from others(world)


def is_blocked(state: Intake) -> bool:
    return isinstance(state, Blocked | ReadingBacklog) and state.until_s < math.inf


@cache
def worlds() -> frozenset[IntakeWorld]:
    """All that can be reached from an actor of whom nothing is known."""
    seen, waiting = {IntakeWorld()}, [IntakeWorld()]
    while waiting:
        for world in moves(waiting.pop()):
            if world not in seen:
                seen.add(world)
                waiting.append(world)
    return frozenset(seen)


def test_i7_no_way_through_an_intake_lets_a_push_overtake_what_waits_in_the_store() -> None:
    assert len(worlds()) > 1000  # the moves assert it


def test_all_states_are_reached() -> None:
    states = {world.intake for world in worlds()}
    assert {type(state) for state in states} == {Open, HasBacklog, Blocked, ReadingBacklog}
    assert {HasBacklog(False), HasBacklog(True)} < states
    assert {Blocked(until_s, undos_only) for until_s in INSTANTS for undos_only in BOTH} < states


def test_what_is_left_in_the_store_is_remembered_by_the_actor_or_by_its_kind() -> None:
    for world in worlds():
        match world.intake:
            case Open():
                assert not world.left or world.overflowed, world
            case HasBacklog(undos_only):
                assert world.in_memory and (undos_only or not world.is_stale), world
            case Blocked(until_s):
                assert until_s in world.armed, f"nobody will say that it is due: {world}"
        assert bool(world.stage) == isinstance(world.intake, ReadingBacklog), world


def test_every_actor_comes_to_rest_with_nothing_left_in_the_store() -> None:
    for world in worlds():
        ways = 0
        while not (isinstance(world.intake, Open) and not world.left):
            world, ways = calmly(world), ways + 1
            assert ways < 20, f"it does not come to rest: {world}"


def calmly(world: IntakeWorld) -> IntakeWorld:
    """The next move where nothing new comes, nothing fails, and all is delivered."""
    if world.in_mailbox:
        emptied = replace(world, in_mailbox=False, is_stale=False)
        return emptied.told(TurnEnded(is_empty=True, may_read=True))[0]
    if world.stage:
        after = list(reads(world))[1 + (len(INSTANTS) if world.stage == "reads" else 0) :]  # neither lost nor failed
        return next((one for one in after if not one.left and not is_blocked(one.intake)), after[0])
    if world.armed and is_blocked(world.intake):
        first = min(world.armed)
        return replace(world, armed=world.armed - {first}).told(Due(first))[0]
    return next(pushed(world, is_undo=False))  # by a sweep


def test_an_undo_for_an_actor_that_waits_has_its_mail_read_at_once() -> None:
    for state in {world.intake for world in worlds()}:
        if isinstance(state, Blocked):
            after, todo = step(state, Pushed(is_undo=True, is_idle=False))
            assert todo is Todo.READ and is_blocked(after), "and what is no undo goes on waiting"


def test_an_actor_that_has_left_memory_with_mail_in_the_store_leaves_that_to_its_kind() -> None:
    for undos_only in BOTH:
        assert step(HasBacklog(undos_only), Sign.LEFT_MEMORY) == (OPEN, Todo.OVERFLOW)
