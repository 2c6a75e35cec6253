"""The rules of supervision, as pure functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.actor.supervision import (
    Backoff,
    Restart,
    Strategy,
    Supervision,
    affected,
    delay_s,
    is_restarted,
    recent,
)
from runtime.errors import InvalidSettings


@pytest.mark.parametrize(
    ("restart", "failed", "expected"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_who_is_restarted_after_which_end(restart: Restart, failed: bool, expected: bool) -> None:
    assert is_restarted(restart, failed=failed) is expected


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
def test_whom_a_failure_concerns(strategy: Strategy, expected: list[str]) -> None:
    assert list(affected(strategy, ("a", "b", "c"), "b")) == expected


def test_restarts_older_than_the_window_do_not_count() -> None:
    assert recent([1.0, 5.0, 9.0], now_s=10.0, window_s=5.0) == [9.0]


def test_backoff_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first_s=0.1, factor=2.0, max_s=1.0, jitter=0.0)
    delays = [delay_s(backoff, attempt=attempt, fraction=0.5) for attempt in (1, 2, 3, 4, 5, 1000)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_jitter_moves_a_delay_by_its_share_in_both_directions() -> None:
    backoff = Backoff(first_s=1.0, jitter=0.2)
    assert delay_s(backoff, attempt=1, fraction=0.0) == pytest.approx(0.8)
    assert delay_s(backoff, attempt=1, fraction=0.999999) == pytest.approx(1.2)


def test_without_backoff_a_restart_does_not_wait() -> None:
    assert delay_s(None, attempt=7, fraction=0.3) == 0.0


@pytest.mark.parametrize(
    "rules",
    [
        lambda: Backoff(first_s=-1.0),
        lambda: Backoff(factor=0.5),
        lambda: Backoff(first_s=2.0, max_s=1.0),
        lambda: Backoff(jitter=1.5),
        lambda: Supervision(restarts_max=-1),
        lambda: Supervision(window_s=0.0),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: Callable[[], object]) -> None:
    with pytest.raises(InvalidSettings):
        rules()
