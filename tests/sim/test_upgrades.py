"""A saga with other steps is rolled out and taken back, and every order ends with the version that began it."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest

from runtime.testing import explore
from runtime.testing.runs.run import simulate_seed
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.upgrade import Carry, CarryingOrderProcess, NextOrderProcess, Upgrade

SEEDS = 40
FIRST = 40_000


def test_orders_of_both_versions_end_and_no_operator_has_to_do_anything() -> None:
    figures: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        result = simulate_seed(seed, Upgrade())
        told = "\n".join(f"{one.invariant}: {one.what}" for one in result.violations)
        assert not told, f"{told}\nagain: python -m runtime.testing replay {seed} --workload upgrade"
        figures.update(result.figures)
    assert figures["started"] == 20 * SEEDS == figures["completed"] + figures["cancelled"]
    assert min(figures[name] for name in ("of the first version", "of the next version")) > SEEDS


def test_orders_of_the_first_version_are_carried_over_and_none_is_lost() -> None:
    figures: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + 20):
        result = simulate_seed(seed, Carry())
        told = "\n".join(f"{one.invariant}: {one.what}" for one in result.violations)
        assert not told, f"{told}\nagain: python -m runtime.testing replay {seed} --workload carry"
        figures.update(result.figures)
    assert figures["started"] == 400 == figures["completed"] + figures["cancelled"]
    assert figures["carried over"] >= 5


def test_without_a_roll_out_nothing_is_left_alone() -> None:
    for seed in range(10):
        result = simulate_seed(seed, Upgrade(), calm=True)
        assert not result.violations
        assert (result.figures["of the next version"], result.figures["cancellations left alone"]) == (0, 0)


def test_the_next_version_is_a_saga_that_makes_sense_in_every_order_of_its_messages() -> None:
    explore(NextOrderProcess).check()
    explore(CarryingOrderProcess).check()


def test_a_world_whose_nodes_have_no_versions_is_refused() -> None:
    with pytest.raises(TypeError, match="SimCluster, not in a object"):
        Upgrade().begin(cast("World", object()), Dice(0))
