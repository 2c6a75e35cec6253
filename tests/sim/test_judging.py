"""A batch counts when enough has happened in it; a run that never gets anywhere is a verdict of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from runtime.adapters import SystemClock
from runtime.failpoints import Failpoint
from runtime.testing.commands.spread import spread
from runtime.testing.runs.batch import RunBatch
from runtime.testing.runs.run import RunResult, simulate_seed
from runtime.testing.runs.sometimes import JUDGED_SEEDS, expected_by, unseen
from runtime.testing.runs.workload import Workload
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders


def seed_of(workload: Workload, seed: int) -> RunResult:
    return simulate_seed(seed, workload)


def test_a_large_batch_that_never_met_a_fault_says_so() -> None:
    seeds = 2 * JUDGED_SEEDS
    seen = Counter({"killed": seeds, "frozen": 1})
    missing = list(unseen(("killed", "frozen", "cut"), seeds, seen))
    assert [one.split()[0] for one in missing] == ["frozen", "cut"]
    assert missing[1] == f"cut (0 of {seeds} seeds, 2 wanted)"


def test_a_small_batch_is_not_judged() -> None:
    assert list(unseen(("cut",), JUDGED_SEEDS - 1, Counter())) == []


def test_a_batch_in_which_hardly_anything_succeeds_does_not_count() -> None:
    batch = RunBatch(SystemClock(), seeds=JUDGED_SEEDS, expected=("killed",))
    batch.seen_in["killed"] = JUDGED_SEEDS
    batch.figures.update(started=1000, completed=99)
    assert batch.missing == ["success (9.9% of what was started, 10% wanted)"]
    batch.figures.update(completed=1)
    assert batch.missing == []


def test_orders_are_expected_to_reach_every_failpoint_but_those_of_poison() -> None:
    expected = expected_by(Orders())
    assert {point.name for point in Failpoint} - set(expected) == {"MESSAGE_PARKED"}
    assert "sagas compensated" in expected and "handler fails" in expected


def test_nothing_is_expected_of_a_workload_that_does_not_say() -> None:
    assert expected_by(object()) == ()


def test_what_a_batch_has_met_is_counted_by_seeds() -> None:
    batch = RunBatch(SystemClock())
    for seed in range(3):
        batch.add(simulate_seed(seed, Orders()))
    assert batch.seen_in["HANDLER_CALLED"] == batch.seen_in["COMMITTED"] == 3


def test_two_processes_find_what_one_finds() -> None:
    seeds = range(40, 46)
    alone = {seed: result.trace for seed, result in spread(seed_of, "orders", seeds, jobs=1)}
    shared = {seed: result.trace for seed, result in spread(seed_of, "orders", seeds, jobs=2)}
    assert shared == alone and set(alone) == set(seeds)


class Waiting(OrderClients):
    """Waits for something that never happens."""

    async def run(self) -> None:
        await self._world.ports.tasks.new_future()


class Turning(OrderClients):
    """Turns in circles without letting time go by."""

    async def run(self) -> None:
        while True:
            await self._world.sleep(0.0)


@pytest.mark.parametrize(
    ("clients", "says"),
    [
        (Waiting, "clients wait, and nothing was committed"),
        (Turning, "time stands still"),
    ],
)
def test_a_workload_that_never_makes_progress_is_a_livelock_with_its_last_steps(
    clients: type[OrderClients], says: str
) -> None:
    class Stalled(Orders):
        def begin(self, world: World, dice: Dice) -> OrderClients:
            return clients(world, dice)

    result = simulate_seed(1, Stalled(), calm=True)
    (verdict,) = [one for one in result.violations if one.invariant == "livelock"]
    assert says in verdict.what and "the last steps were" in verdict.what
