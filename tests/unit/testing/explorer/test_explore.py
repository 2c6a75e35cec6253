"""Right sagas of every shape keep their promises in every schedule; the figures of an exploration are what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import actors.orchestration
from protos.sales_pb2 import OrderLine, OrderPlaced
from runtime.errors import InvalidSettings
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess
from tests.unit.testing.explorer.sagas import Beside, ChoosySaga, NoPivot, TailSaga

FEW = Bounds(faults_max=1, silences_max=1)


@pytest.mark.parametrize("saga", [FirmOrderProcess, NoPivot, ChoosySaga])
def test_no_schedule_of_a_right_saga_breaks_a_promise(saga: type[Saga[Any]]) -> None:
    result = explore(saga, bounds=FEW)
    result.check()
    assert result.complete and result.stopped_by == ""


@pytest.mark.parametrize("saga", [Beside, TailSaga])
def test_no_schedule_of_steps_side_by_side_breaks_a_promise(saga: type[Saga[Any]]) -> None:
    """These have many more, so that misfortunes which change nothing here are left out."""
    explore(saga, bounds=replace(FEW, duplicates_max=0, cancels_max=0)).check()


def test_the_order_process_is_seen_whole_with_the_bounds_that_users_get() -> None:
    result = explore(actors.orchestration.OrderProcess)
    result.check()
    assert result.complete and result.states > 3_000
    assert set(result.ends) == {"completed", "compensated", "stuck"}, "every way of ending is among the schedules"
    assert 0 < result.depth < result.states < result.transitions


def test_an_exploration_without_misfortune_has_only_what_participants_may_say() -> None:
    result = explore(NoPivot, bounds=Bounds(0, 0, 0, 0, 0, 0))
    result.check()
    assert set(result.ends) == {"completed", "compensated"}
    assert result.states < 100


def test_an_undo_that_says_it_is_not_needed_leaves_its_step_as_it_is() -> None:
    free = OrderPlaced(order_id="ORD-7", line=OrderLine(sku="HAT", quantity=1))
    result = explore(ChoosySaga, samples=[free], bounds=FEW)
    result.check()
    assert result.ends["compensated"]


@pytest.mark.parametrize(
    ("misfortune", "beside"),
    [
        ("faults_max", {}),
        ("silences_max", {}),
        ("duplicates_max", {}),
        ("cancels_max", {}),
        ("poisons_max", {}),
        ("replays_max", {"poisons_max": 1}),
        ("asks_max", {"poisons_max": 1}),
    ],
)
def test_each_kind_of_misfortune_adds_schedules(misfortune: str, beside: dict[str, int]) -> None:
    calm = {"faults_max": 0, "silences_max": 0, "duplicates_max": 0, "cancels_max": 0, "poisons_max": 0}
    without = Bounds(**{**calm, "replays_max": 0, **beside})
    more = replace(without, **{misfortune: getattr(without, misfortune) + 1})
    few, many = (explore(TailSaga, bounds=one, every_move=True) for one in (without, more))
    few.check()
    many.check()
    assert few.states < many.states


def test_a_saga_is_stuck_only_where_a_participant_has_given_up_for_good() -> None:
    patient = Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0, asks_max=3)
    assert set(explore(NoPivot, bounds=patient).ends) == {"completed", "compensated"}
    poisoned = explore(NoPivot, bounds=replace(patient, faults_max=0, silences_max=0, poisons_max=1))
    assert set(poisoned.ends) == {"completed", "compensated", "stuck"}


def test_the_same_exploration_gives_the_same_figures() -> None:
    first, second = (explore(FirmOrderProcess, bounds=FEW) for _ in range(2))
    assert (first.states, first.transitions, first.depth, first.ends) == (
        second.states,
        second.transitions,
        second.depth,
        second.ends,
    )


def test_an_exploration_that_is_cut_short_says_so_and_proves_nothing() -> None:
    result = explore(ShopProcess, bounds=Bounds(states_max=500))
    assert (result.complete, result.stopped_by, result.states) == (False, "states_max", 500)
    with pytest.raises(AssertionError, match="not all schedules within the bounds were seen: states_max stopped"):
        result.check()
    result.check(complete=False)


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    result = explore(NoPivot, bounds=FEW, progress=lambda states, depth: told.append((states, depth)))
    assert len(told) > 1 and told == sorted(told)
    assert told[-1] == (result.states, result.depth)


@pytest.mark.parametrize(("name", "value"), [("faults_max", -1), ("asks_max", 0), ("states_max", 0)])
def test_bounds_that_make_no_sense_are_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} is {value}; it has to be"):
        Bounds(**{name: value})
