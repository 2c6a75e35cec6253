"""The rules of supervision, as pure functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.actor.supervision import (
    Restart,
    Strategy,
    Supervision,
    affected,
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


@pytest.mark.parametrize(
    "rules",
    [
        lambda: Supervision(restarts_max=-1),
        lambda: Supervision(window_s=0.0),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: Callable[[], object]) -> None:
    with pytest.raises(InvalidSettings):
        rules()
