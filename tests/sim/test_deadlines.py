"""The deadlines of conversations hold while nodes die, and none is called overdue that was settled before."""

from __future__ import annotations

from collections import Counter

from runtime.testing.runs.run import simulate_seed
from tests.proof.workloads.deadlines import Deadlines

SEEDS = 60
FIRST = 50_000


def test_each_conversation_is_settled_late_or_overdue_once_whichever_nodes_die() -> None:
    figures: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        result = simulate_seed(seed, Deadlines())
        told = "\n".join(f"{one.invariant}: {one.what}" for one in result.violations)
        assert not told, f"{told}\nagain: python -m runtime.testing replay {seed} --workload deadlines"
        figures.update(result.figures)
    assert figures["started"] == 24 * SEEDS == figures["settled"] + figures["late"] + figures["overdue"]
    assert min(figures[name] for name in ("settled", "late", "overdue")) > SEEDS


def test_without_faults_what_is_settled_at_once_is_never_late() -> None:
    for seed in range(10):
        result = simulate_seed(seed, Deadlines(), calm=True)
        assert not result.violations and result.figures["settled"]
