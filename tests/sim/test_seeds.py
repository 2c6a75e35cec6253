"""Whole clusters under faults: the seeds that once failed, and some of every build's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.testing.runs.run import RunResult, simulate_seed
from runtime.testing.virtual.order import CallbackOrder
from tests.proof.programs import random
from tests.proof.workloads.failover import Failover
from tests.proof.workloads.orders import Orders

FRESH = 60
IN_ONE = 20
SEEDS = Path(__file__).with_name("seeds.txt")
RANDOM_SEEDS = Path(__file__).with_name("random-seeds.txt")
FAILOVER_SEEDS = Path(__file__).with_name("failover-seeds.txt")


@pytest.fixture(scope="module")
def orders() -> Orders:
    return Orders()


def once_failed(seeds: Path = SEEDS) -> list[int]:
    lines = [line.partition("#")[0].strip() for line in seeds.read_text(encoding="utf-8").splitlines()]
    return [int(line) for line in lines if line]


def told(result: RunResult) -> str:
    broken = "\n".join(f"{one.invariant}: {one.what}" for one in result.violations)
    return f"{broken}\nagain: python -m runtime.testing replay {result.seed}"


@pytest.mark.parametrize("seed", once_failed())
def test_a_seed_that_once_failed_keeps_every_promise(orders: Orders, seed: int) -> None:
    result = simulate_seed(seed, orders)
    assert not result.violations, told(result)


@pytest.mark.parametrize("seed", once_failed(RANDOM_SEEDS))
def test_a_random_program_that_once_failed_keeps_every_promise(seed: int) -> None:
    result = simulate_seed(seed, random())
    assert not result.violations, told(result)


@pytest.mark.parametrize("seed", once_failed(FAILOVER_SEEDS))
def test_a_failover_that_once_failed_keeps_every_promise(seed: int) -> None:
    result = simulate_seed(seed, Failover())
    assert not result.violations, told(result)


@pytest.mark.parametrize("first", range(10_000, 10_000 + FRESH, IN_ONE))
def test_hostile_runs_keep_every_promise(orders: Orders, first: int) -> None:
    for seed in range(first, first + IN_ONE):
        result = simulate_seed(seed, orders)
        assert not result.violations, told(result)
        assert result.figures["started"] == 20


def test_without_faults_nothing_is_compensated_but_what_was_refused_or_cancelled(orders: Orders) -> None:
    for order in CallbackOrder:
        result = simulate_seed(7, orders, calm=True, order=order)
        assert not result.violations, told(result)
        assert not [name for name in result.faults if name != "drained"]
