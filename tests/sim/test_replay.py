"""The same seed is the same run: in this process, in others, and whatever the hash seed is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from actors.workload import Orders
from runtime.testing.simulation.run import simulate_seed

SEEDS = (3, 232, 858)


def in_a_process(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "runtime.testing", "replay", str(seed), "--json"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    trace = json.loads(done.stdout)["trace"]
    assert isinstance(trace, str)
    return trace


def test_a_seed_has_the_same_trace_in_every_process_and_under_every_hash_seed() -> None:
    orders = Orders()
    for seed in SEEDS:
        traces = {simulate_seed(seed, orders).trace, in_a_process(seed, "1"), in_a_process(seed, "2")}
        assert len(traces) == 1, f"seed {seed} went {len(traces)} ways"


def test_what_ran_before_makes_no_difference() -> None:
    orders = Orders()
    before = simulate_seed(11, orders).trace
    simulate_seed(12, orders)
    assert simulate_seed(11, orders).trace == before


def test_another_seed_is_another_run() -> None:
    orders = Orders()
    assert len({simulate_seed(seed, orders).trace for seed in range(5)}) == 5
