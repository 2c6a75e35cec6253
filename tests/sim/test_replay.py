"""The same seed is the same run: in this process, in others, and whatever the hash seed is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from runtime.testing.runs.run import simulate_seed
from runtime.testing.runs.workload import Workload
from tests.proof.programs import random
from tests.proof.workloads.orders import Orders

SEEDS = {"orders": (3, 232, 858), "random": (5, 62, 331)}
WORKLOADS: dict[str, Callable[[], Workload]] = {"orders": Orders, "random": random}


def in_a_process(seed: int, workload: str, hash_seed: str) -> str:
    command = [sys.executable, "-m", "runtime.testing", "replay", str(seed), "--workload", workload, "--json"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    trace = json.loads(done.stdout)["trace"]
    assert isinstance(trace, str)
    return trace


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_seed_has_the_same_trace_in_every_process_and_under_every_hash_seed(name: str) -> None:
    workload = WORKLOADS[name]()
    for seed in SEEDS[name]:
        here = simulate_seed(seed, workload).trace
        traces = {here, in_a_process(seed, name, "1"), in_a_process(seed, name, "2")}
        assert len(traces) == 1, f"seed {seed} went {len(traces)} ways"


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_ran_before_makes_no_difference(name: str) -> None:
    workload = WORKLOADS[name]()
    before = simulate_seed(11, workload).trace
    simulate_seed(12, workload)
    assert simulate_seed(11, workload).trace == before


@pytest.mark.parametrize("name", WORKLOADS)
def test_another_seed_is_another_run(name: str) -> None:
    workload = WORKLOADS[name]()
    assert len({simulate_seed(seed, workload).trace for seed in range(5)}) == 5
