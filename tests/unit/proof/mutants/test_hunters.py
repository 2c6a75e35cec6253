"""The explorer as a hunter: it sees the bug that is planted and no other, and its list of sagas has an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from runtime.durations import seconds
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.rules.ledger import Violation
from tests.proof.commands.mutants import hunter_named
from tests.proof.mutants.hunt import hunt
from tests.proof.mutants.hunters import BATCHES, EXPLORER, Explored
from tests.proof.mutants.registry import MUTANTS
from tests.proof.mutants.small_sagas import SMALL_SAGAS
from tests.proof.mutants.switchboard import planted
from tests.proof.programs import programs_pb2 as pb

FIRM = {"firm pivot": SMALL_SAGAS["firm pivot"]}
RARE = MUTANTS["earlier-answer-taken-for-last"]
OUT_OF_SIGHT = MUTANTS["cas-on-revision-alone"]  # the interpreter has no store


def begin(event: pb.Begun) -> pb.FirstState:
    return pb.FirstState(key=event.key)


def change_alpha(state: pb.FirstState) -> pb.ChangeAlpha:
    state.kept.append("a do may not keep anything")
    return pb.ChangeAlpha(key=state.key)


class CarelessSaga(Saga[pb.FirstState], kind="careless"):
    """Its author's mistake is there without any planted bug."""

    started_by = on(pb.Begun, begin)
    only = Step(do=change_alpha, done=pb.AlphaChanged, timeout=seconds(30), pivot=True)
    flow = only


class Endless:
    """A hunter that never sees anything, and remembers what it looked at."""

    counts = "seed"

    def __init__(self) -> None:
        self.looked: list[int] = []

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return seeds

    def look(self, number: int) -> tuple[Violation, ...]:
        self.looked.append(number)
        return ()


def test_batches_are_clean_without_a_bug_and_show_what_is_planted_in_how_they_are_written() -> None:
    mutant = MUTANTS["last-statement-decides"]
    found = hunt(mutant, {BATCHES: hunter_named(BATCHES)}, range(10))
    assert found.found and found.invariants == ("I15",) and found.counts == "tape"


def sagas() -> Sequence[int]:
    return hunter_named(EXPLORER).numbers(range(1000))


@pytest.mark.parametrize("number", sagas())
def test_every_saga_of_the_list_is_clean_without_a_bug(number: int) -> None:
    assert hunter_named(EXPLORER).look(number) == ()


def test_the_list_begins_with_the_order_process_and_goes_on_with_every_small_saga() -> None:
    assert list(sagas()) == list(range(1 + len(SMALL_SAGAS)))


def test_a_bug_is_seen_while_it_is_planted_and_not_before_or_after() -> None:
    """Neither what the explorer has imported nor what it has worked out hides it, or keeps it."""
    explorer = Explored(FIRM)
    before = explorer.look(0)
    with planted(RARE):
        meanwhile = explorer.look(0)
    assert (before, explorer.look(0)) == ((), ())
    assert {one.invariant for one in meanwhile} == {"I6"}
    assert meanwhile[0].what.startswith("firm pivot: step first is undone while the pivot firm")


def test_a_find_names_the_place_of_the_saga_and_counts_the_sagas_before_it() -> None:
    done = hunt(RARE, {EXPLORER: Explored({"no pivot": SMALL_SAGAS["no pivot"], **FIRM})}, range(50, 60))
    assert done.found and done.control == ()
    assert (done.workload, done.seed, done.seeds, done.counts) == (EXPLORER, 1, 2, "saga")


def test_a_saga_that_is_not_clean_without_the_mutant_finds_nothing() -> None:
    done = hunt(OUT_OF_SIGHT, {EXPLORER: Explored({"careless": CarelessSaga})}, range(5))
    assert not done.found
    assert done.control and "do of step only changed the state" in done.control[0]


def test_a_hunt_ends_with_the_last_saga() -> None:
    done = hunt(OUT_OF_SIGHT, {EXPLORER: Explored(FIRM)}, range(1000))
    assert (done.found, done.seeds, done.counts) == (False, 1, "saga")


def test_no_more_sagas_are_looked_at_than_was_asked_for() -> None:
    assert list(Explored(SMALL_SAGAS).numbers(range(2))) == [0, 1]
    assert hunt(RARE, {EXPLORER: Explored(FIRM)}, range(0)).seeds == 0


def test_seeds_go_on_when_there_are_no_more_sagas() -> None:
    workload = Endless()
    done = hunt(OUT_OF_SIGHT, {"endless": workload, EXPLORER: Explored(FIRM)}, range(7, 10))
    assert workload.looked == [7, 8, 9]
    assert (done.found, done.seeds, done.counts) == (False, 3, "seed")


def test_an_exploration_that_breaks_down_has_found_something() -> None:
    broken = cast("type[Saga[Any]]", object)
    (crash,) = Explored({"none": broken}).look(0)
    assert crash.invariant == "crash" and "AttributeError" in crash.what
