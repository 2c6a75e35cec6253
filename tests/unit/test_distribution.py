"""Values are counted by ranges."""

from __future__ import annotations

from runtime.distribution import Distribution


def test_each_value_is_counted_at_its_bound_and_all_above() -> None:
    spread = Distribution((1.0, 5.0))
    for value in (0.5, 1.0, 1.5, 5.0, 99.0):
        spread.add(value)
    assert spread.up_to == ((1.0, 2), (5.0, 4), (None, 5))
    assert spread.total == 107.0


def test_without_a_value_all_counts_are_zero() -> None:
    assert Distribution((1.0,)).up_to == ((1.0, 0), (None, 0))
