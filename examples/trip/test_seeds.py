"""Hostile runs: nodes die and freeze, links are cut, commits are lost, clocks jump; and in the end all adds up."""

from __future__ import annotations

from examples.trip.catalogue import catalogue
from examples.trip.clients import Travellers
from runtime.testing import simulate


def test_whatever_goes_wrong_trips_are_whole_or_cancelled() -> None:
    batch = simulate(catalogue, Travellers, seeds=20)
    batch.check()
    assert batch.figures["started"] == 20 * 12
    assert 0 < batch.completed_share < 1, "some trips are booked, and some are not"
    assert len(batch.faults) > 5, "the runs were hostile"
