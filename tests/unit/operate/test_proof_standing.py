"""Whether a version counts as proven follows from all that is kept of it; a broken promise outranks what was clean."""

from __future__ import annotations

import pytest

from runtime.operate.proofs.proof import CrashesTried, Did
from runtime.operate.proofs.standing import Proven, standing_of
from tests.unit.operate.proofs import broken, explored, proof, simulated


def crashed(workload: str = "trips", *, singles: int = 10, pairs: int = 5, all_pairs: bool = False) -> CrashesTried:
    return CrashesTried(workload, 3, singles, pairs, all_pairs, begun=30, begun_in=15, failpoints=68, failpoints_of=70)


def test_nothing_is_not_proven() -> None:
    assert standing_of([]).standing is Proven.NOT_PROVEN


def test_one_clean_run_is_passed_since_the_newest() -> None:
    found = standing_of([proof(made_at_s=5.0), proof(simulated(), made_at_s=9.0), proof(made_at_s=7.0)])
    assert (found.standing, found.since_s) == (Proven.PASSED, 9.0)
    assert [one.made_at_s for one in found.passed] == [9.0, 7.0, 5.0]


def test_a_clean_run_that_stopped_early_proves_too_little() -> None:
    found = standing_of([proof(short_of="stopped by states_max after 10 states")])
    assert (found.standing, found.passed) == (Proven.NOT_PROVEN, ())


def test_a_broken_promise_outranks_an_older_clean_run_and_a_newer_one_of_something_else() -> None:
    bad = broken(made_at_s=5.0)
    found = standing_of([proof(made_at_s=4.0), bad, proof(simulated(), made_at_s=9.0)])
    assert (found.standing, found.since_s, found.broken) == (Proven.BROKEN, 5.0, (bad,))


@pytest.mark.parametrize(
    ("did", "later"),
    [
        (explored(), explored()),
        (explored(), explored(faults_max=3, states_max=10)),
        (simulated(3, 9), simulated(0, 99)),
        (simulated(3, 9, calm=True), simulated(3, 9)),
        (simulated(3, 9, seeds=4), simulated(3, 9)),
        (crashed(), crashed(pairs=6)),
        (crashed(pairs=6, all_pairs=True), crashed(pairs=5, all_pairs=True)),
    ],
)
def test_a_later_clean_run_of_the_same_or_more_clears_a_broken_promise(did: Did, later: Did) -> None:
    assert standing_of([broken(did, made_at_s=5.0), proof(later, made_at_s=6.0)]).standing is Proven.PASSED
    assert standing_of([broken(did, made_at_s=7.0), proof(later, made_at_s=6.0)]).standing is Proven.BROKEN
    early = proof(later, made_at_s=6.0, short_of="ended by SIGTERM")
    assert standing_of([broken(did, made_at_s=5.0), early]).standing is Proven.BROKEN


@pytest.mark.parametrize(
    ("did", "later"),
    [
        (explored(), explored(faults_max=1)),
        (explored(cancels_max=1), explored()),
        (simulated(3, 9), simulated(4, 99)),
        (simulated(3, 9), simulated(0, 99, seeds=50)),
        (simulated(3, 9), simulated(3, 9, calm=True)),
        (simulated(3, 9), simulated(3, 9, workload="orders")),
        (crashed(), crashed(pairs=4)),
        (crashed(), crashed("orders")),
        (crashed(all_pairs=True), crashed(pairs=9)),
        (explored(), simulated()),
        (simulated(), crashed()),
        (crashed(), explored()),
    ],
)
def test_a_later_clean_run_of_less_or_of_something_else_clears_nothing(did: Did, later: Did) -> None:
    assert standing_of([broken(did, made_at_s=5.0), proof(later, made_at_s=6.0)]).standing is Proven.BROKEN


def test_what_was_done_is_told_in_words() -> None:
    assert explored().text() == (
        "every schedule within bounds: 767 states, 2,283 transitions, 20 moves deep "
        "(faults_max 2, silences_max 1, states_max 1,000,000)"
    )
    assert simulated(0, 0, workload="", calm=True, begun=1, begun_in=1).text() == (
        "1 seed (0 to 0) of a workload without a name, calm: 44,708 steps, 1 saga of this version in 1 seed, "
        "65 of 70 failpoints reached"
    )
    assert simulated(3, 9, seeds=2).text().startswith("2 seeds (chosen one by one) of the workload trips: ")
    assert crashed(singles=1).text() == (
        "a node killed at 68 of 70 failpoints, in the workload trips: 1 single crash and 5 pairs, "
        "30 sagas of this version in 15 runs"
    )
