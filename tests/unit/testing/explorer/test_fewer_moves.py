"""A search with fewer moves sees the same ends, and finds the same broken promises, as one with every move."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.node import Role
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.checks import Breach
from runtime.testing.explorer.driver import Input, SagaDriver
from runtime.testing.explorer.explore import explore, searched
from runtime.testing.explorer.leftovers import Leftovers
from runtime.testing.explorer.pasts import split
from runtime.testing.explorer.samples import Samples
from runtime.testing.explorer.world import AGAIN, DONE, FAULT, Reply, SagaWorld, SentCommand
from tests.proof.mutants.sagas import SAGAS
from tests.proof.mutants.small_sagas import SMALL_SAGAS, side_by_side
from tests.proof.mutants.switchboard import planted
from tests.proof.mutants.turns import TURNS
from tests.proof.mutants.wholes import WHOLES

ALL_KINDS = Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0)
FOR_GOOD = Bounds(faults_max=1, silences_max=0, cancels_max=0)
NO_TWICE = Bounds(faults_max=1, silences_max=1, duplicates_max=0, cancels_max=0, poisons_max=0, replays_max=0)


HEAVY = ("two branches", "a list that does without one", "a list of which one is enough", "a child")


class Seen(NamedTuple):
    """How sagas ended, which promises were broken, and how many states and moves that took."""

    ends: set[tuple[object, ...]]
    breaches: dict[Breach, int]
    states: int


def seen(saga: type[Saga[Any]], bounds: Bounds, *, every_move: bool) -> Seen:
    driver = SagaDriver(saga, Samples(saga.definition), bounds.asks_max)
    search = searched(driver, bounds, lambda *_: None, str, every_move=every_move)
    ends: set[tuple[object, ...]] = {
        (
            _counts(driver, world),
            world.cancelled and not _is_back(driver, world),
            _still_failing(driver, world),
            tuple((truth.effect in (DONE, AGAIN), truth.refusal_told, truth.undone_told) for truth in world.truths),
        )
        for world in search.rests
    }
    return Seen(ends, {breach: len(path) for breach, path in search.found.items()}, search.states)


def _counts(driver: SagaDriver, world: SagaWorld) -> bytes:
    """What counts of a record. Of a saga that has turned back this is less than all, which `test_alike` is about."""
    record = driver.record(world.record)
    return split(record).counts if _is_back(driver, world) else record.SerializeToString(deterministic=True)


def _is_back(driver: SagaDriver, world: SagaWorld) -> bool:
    return driver.views[world.record].heading in (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)


def _still_failing(driver: SagaDriver, world: SagaWorld) -> tuple[tuple[int, bool], ...]:
    """What would fault each time if it was asked once more, and may be. A saga at rest has nothing on its way."""
    if not _is_back(driver, world):
        return world.poisoned
    nodes, truths = driver.places.nodes, world.truths
    return tuple(
        (step, undo)
        for step, undo in world.poisoned
        if (undo and not truths[step].undone_told) or (not undo and nodes[step].role is Role.CLOSING)
    )


@pytest.mark.parametrize("name", SMALL_SAGAS)
@pytest.mark.parametrize("bounds", [ALL_KINDS, FOR_GOOD])
def test_a_right_saga_ends_in_the_same_ways(name: str, bounds: Bounds) -> None:
    if name in HEAVY and bounds is ALL_KINDS:
        bounds = NO_TWICE  # The usual ones give a search of every move some 30,000 states.
    few = seen(SMALL_SAGAS[name], bounds, every_move=False)
    all_ = seen(SMALL_SAGAS[name], bounds, every_move=True)
    assert few.ends == all_.ends and few.ends
    assert not few.breaches and not all_.breaches
    assert few.states * 2 < all_.states


@pytest.mark.parametrize("name", ["no pivot", "firm pivot", "slow"])
def test_a_saga_ends_in_the_same_ways_if_an_operator_helps_while_an_answer_is_late(name: str) -> None:
    """A silence, a failure for good and a replay in one schedule: with the bounds above there are never all three."""
    bounds = Bounds(faults_max=0, silences_max=1, duplicates_max=0, cancels_max=0, workings_max=1)
    few = seen(SMALL_SAGAS[name], bounds, every_move=False)
    all_ = seen(SMALL_SAGAS[name], bounds, every_move=True)
    assert few.ends == all_.ends and few.ends
    assert not few.breaches and not all_.breaches


BUGS = {one.name: one for one in (*SAGAS, *TURNS, *WHOLES)}


@pytest.mark.parametrize(
    ("bug", "name"),
    [
        ("undo-in-forward-order", "no pivot"),
        ("open-steps-not-undone", "firm pivot"),
        ("compensated-too-early", "firm pivot"),
        ("undo-not-retried", "firm pivot"),
        ("undo-fault-counts-as-undone", "slow"),
        ("closing-not-awaited", "no pivot"),
        ("unknown-answered-as-failed", "firm pivot"),
        ("late-answer-revives-step", "firm pivot"),
        ("fault-is-a-refusal", "firm pivot"),
        ("earlier-answer-taken-for-last", "firm pivot"),
        ("completed-with-a-branch-open", "two tails"),
        ("second-start-starts-anew", "firm pivot"),
        ("no-tombstone", "firm pivot"),
        ("tried-do-counts-as-untried", "firm pivot"),
        ("wait-outlives-turning-back", "a wait and a choice"),
        ("next-alternative-before-the-undo", "alternatives"),
        ("item-done-without-is-not-undone", "alternatives"),
        ("items-forgotten-on-the-way-back", "alternatives"),
        ("more-items-than-at-once", "a list, one at a time"),
        ("list-is-done-before-its-items", "a list, one at a time"),
        ("list-is-undone-before-its-items", "a list, one at a time"),
        ("silence-counts-as-a-yes", "an approval"),
        ("approved-and-still-stuck", "an approval past the pivot"),
    ],
)
def test_a_wrong_engine_breaks_the_same_promises(bug: str, name: str) -> None:
    with planted(BUGS[bug]):
        few = seen(SMALL_SAGAS[name], ALL_KINDS, every_move=False)
        all_ = seen(SMALL_SAGAS[name], ALL_KINDS, every_move=True)
    assert few.breaches.keys() == all_.breaches.keys() and few.breaches
    assert all(few.breaches[one] <= length for one, length in all_.breaches.items()), "schedules are as short"
    assert few.ends == all_.ends


def test_a_copy_of_an_answer_that_was_heard_in_vain_is_no_silence_while_it_is_on_its_way() -> None:
    """With this bug a saga takes the answer to one step for that to another, and waits on; its timer fires.

    A search of every move has the copy on its way already, and counts that as a silence. One with fewer moves makes the
    copy when it comes: so it sees some ends for which the other has to be allowed one silence more.
    """
    once, twice = (Bounds(0, silences, cancels_max=0, poisons_max=0, replays_max=0) for silences in (1, 2))
    with planted(BUGS["answers-by-address"]):
        few = seen(SMALL_SAGAS["one participant"], once, every_move=False)
        all_ = seen(SMALL_SAGAS["one participant"], once, every_move=True)
        more = seen(SMALL_SAGAS["one participant"], twice, every_move=True)
    assert few.breaches.keys() == all_.breaches.keys() and few.breaches
    assert all_.ends < few.ends <= more.ends


class UntilTheThird(Leftovers):
    """Every message is only noted at the records 1 and 2."""

    def is_void(self, record: int, one: Input) -> bool:
        return record < 3


def test_a_late_answer_that_makes_a_difference_after_all_is_not_left_out() -> None:
    """It is noted where it comes first, and has an effect later: an assumption that the end of the search refutes."""
    driver = SagaDriver(SMALL_SAGAS["no pivot"], Samples(SMALL_SAGAS["no pivot"].definition), 2)
    leftovers = UntilTheThird(driver)
    reply = Reply(SentCommand(0, False, 1, 0, (), ""), FAULT)
    assert leftovers.assume(1, reply)
    leftovers.follow(1, 2)
    assert not leftovers.refute(), "no record where it has an effect follows"
    assert leftovers.assume(1, reply)
    leftovers.follow(1, 2)
    leftovers.follow(2, 3)
    assert leftovers.refute()
    assert not leftovers.assume(1, reply), "it is left in from now on"


def test_a_cancellation_that_makes_a_difference_after_all_is_not_left_out() -> None:
    driver = SagaDriver(SMALL_SAGAS["no pivot"], Samples(SMALL_SAGAS["no pivot"].definition), 2)
    leftovers = UntilTheThird(driver)
    assert leftovers.assume_cancelled(1)
    leftovers.follow(1, 3)
    assert leftovers.refute()
    assert not leftovers.assume_cancelled(1), "clients may cancel from now on"


def test_every_schedule_of_seven_steps_of_which_three_stand_side_by_side_is_seen() -> None:
    """One fault and one silence; with one of every other misfortune too it is the same search for some minutes."""
    result = explore(side_by_side(3), bounds=Bounds(1, 1, 0, 0, 0, 0, 0))
    result.check()
    assert set(result.ends) == {"completed", "compensated", "stuck"}
    assert result.states < 21_000
