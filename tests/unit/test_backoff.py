"""Pauses between attempts: how they grow, where they end, and how far they are drawn apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.backoff import Backoff, spread
from runtime.errors import InvalidSettings

SPANS_S = st.floats(0, 1e6)
SHARES = st.floats(0, 1)
FRACTIONS = st.floats(0, 1, exclude_max=True)
BACKOFFS = st.builds(
    lambda first_s, more_s, factor, jitter: Backoff(first_s, first_s + more_s, factor, jitter),
    SPANS_S,
    SPANS_S,
    st.floats(1, 1e300),
    SHARES,
)


def test_a_pause_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first_s=0.1, max_s=1.0, jitter=0.0)
    assert [backoff.pause_s(attempt) for attempt in (1, 2, 3, 4, 5, 100_000)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_jitter_moves_a_pause_by_its_share_in_both_directions() -> None:
    backoff = Backoff(first_s=1.0, jitter=0.2)
    assert [backoff.pause_s(1, draw) for draw in (0.0, 0.5)] == [pytest.approx(0.8), 1.0]
    assert backoff.pause_s(1, 0.999999) == pytest.approx(1.2)


@given(BACKOFFS, st.integers(-5, 10**12), FRACTIONS)
def test_a_pause_is_finite_and_within_its_bounds(backoff: Backoff, attempt: int, fraction: float) -> None:
    pause_s = backoff.pause_s(attempt, fraction)
    assert backoff.first_s * (1 - backoff.jitter) <= pause_s * (1 + 1e-9) and math.isfinite(pause_s)
    assert pause_s <= backoff.longest_s


@given(BACKOFFS, st.integers(1, 5_000), FRACTIONS)
def test_a_later_pause_is_no_shorter_for_the_same_draw(backoff: Backoff, attempt: int, fraction: float) -> None:
    assert backoff.pause_s(attempt, fraction) <= backoff.pause_s(attempt + 1, fraction)


@given(BACKOFFS, st.integers(1, 100), FRACTIONS, FRACTIONS)
def test_a_larger_draw_makes_no_shorter_pause(backoff: Backoff, attempt: int, one: float, other: float) -> None:
    assume(one <= other)
    assert backoff.pause_s(attempt, one) <= backoff.pause_s(attempt, other)


@given(SPANS_S, SHARES)
def test_the_middle_of_the_draws_changes_nothing(pause_s: float, jitter: float) -> None:
    assert spread(pause_s, jitter, 0.5) == pause_s


@pytest.mark.parametrize(
    "make",
    [
        lambda: Backoff(first_s=-1.0),
        lambda: Backoff(factor=0.5),
        lambda: Backoff(first_s=2.0, max_s=1.0),
        lambda: Backoff(jitter=1.5),
        lambda: Backoff(first_s=math.nan),
        lambda: Backoff(factor=math.nan),
        lambda: Backoff(jitter=math.nan),
    ],
)
def test_what_no_pauses_can_be_drawn_from_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidSettings, match="no delays can be drawn from"):
        make()
