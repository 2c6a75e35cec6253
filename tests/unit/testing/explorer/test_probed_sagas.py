"""The explorer over sagas whose steps are probed: every answer of a participant's runtime, early, late and twice."""

from __future__ import annotations

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled
from protos.warehouse_pb2 import Restocked
from runtime.durations import minutes, seconds
from runtime.saga.probe import Probe
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from tests.proof.mutants.registry import MUTANTS
from tests.proof.mutants.switchboard import planted
from tests.unit.saga.shop import cancel_order
from tests.unit.testing.explorer.sagas import STARTED, bill, close, ship

AGAIN = Probe(absent="ask again")
CALM = {"duplicates_max": 0, "poisons_max": 0, "replays_max": 0}


class ProbedSaga(Saga[OrderProcessState], kind="probed"):
    """Absent at the first step is refused; at the pivot it is asked again; past it as well."""

    started_by = STARTED
    bill = bill(probe=Probe())
    ship = ship(probe=AGAIN, pivot=True)
    close = close(probe=Probe())
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


class ProbedWork(Saga[OrderProcessState], kind="probed-work"):
    """Its label takes time to be made, and so does its last step, past the pivot."""

    started_by = STARTED
    ship = ship(working=Restocked, every=minutes(1), at_most=minutes(60), probe=AGAIN)
    close = close(pivot=True, working=Restocked, every=seconds(10), probe=Probe())
    flow = ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


class ProbedAlone(Saga[OrderProcessState], kind="probed-alone"):
    """Small enough for every order of moves."""

    started_by = STARTED
    bill = bill(probe=Probe())
    flow = bill.in_flow()
    closing = Step(cancel_order, done=OrderCancelled)


def ends(saga: type[Saga[OrderProcessState]], *, every_move: bool = False, **bounds: int) -> set[str]:
    """How it may end; it raises on a broken promise."""
    result = explore(saga, bounds=Bounds(silences_max=2, **{**CALM, **bounds}), every_move=every_move)
    result.check()
    return set(result.ends)


def test_s119_no_schedule_of_probed_steps_breaks_a_promise() -> None:
    assert ends(ProbedSaga, faults_max=1) >= {"completed", "compensated"}


def test_s120_no_schedule_of_probed_work_breaks_a_promise() -> None:
    assert ends(ProbedWork, faults_max=0, cancels_max=0) >= {"completed", "compensated"}


def test_the_search_with_fewer_moves_finds_the_same_ends_of_probes() -> None:
    found = [ends(ProbedAlone, faults_max=1, cancels_max=0, every_move=every) for every in (True, False)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "saga"), [("begun-and-absent", ProbedWork), ("what-nobody-knows-is-refused", ProbedAlone)]
)
def test_a_planted_bug_of_probes_is_found(name: str, saga: type[Saga[OrderProcessState]]) -> None:
    with planted(MUTANTS[name]):
        assert explore(saga, bounds=Bounds(faults_max=0, silences_max=2, cancels_max=0, **CALM)).violations
