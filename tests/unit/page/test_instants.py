"""Ages and instants: time alone never makes a part count as changed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from runtime.adapters import SystemClock
from runtime.contracts import Contracts
from runtime.page.desk import PageDesk, view_of
from runtime.page.drawing import Drawing, marks_of
from runtime.page.instants import age, due, moment
from runtime.page.links import read_address
from runtime.page.screens import read_screen
from tests.unit.operate.rows import fill, saga
from tests.unit.page.conftest import PageStore

AT_S = 1_700_000_000.0


def mark(*html: str) -> str:
    return marks_of({"part": "".join(html)})["part"]


def test_an_instant_is_told_in_utc_with_the_number_that_a_browser_needs() -> None:
    told = moment(AT_S)
    assert told == (
        '<time data-at="1700000000.000" datetime="2023-11-14T22:13:20.000+00:00">2023-11-14 22:13:20.000 UTC</time>'
    )
    for odd in (math.nan, math.inf, 1e18, -1e18):
        assert "s since 1970" in moment(odd) and "in " in due(odd, AT_S) + "in "


def test_an_age_that_only_grows_is_no_change_and_another_instant_is_one() -> None:
    assert "3.0 s ago" in age(AT_S, AT_S + 3) and "3 h ago" in age(AT_S, AT_S + 10_000)
    assert mark(age(AT_S, AT_S + 3)) == mark(age(AT_S, AT_S + 10_000)) != mark(age(AT_S + 1, AT_S + 10_000))
    assert mark(due(AT_S, AT_S - 3)) == mark(due(AT_S, AT_S + 3)) != mark(due(AT_S + 1, AT_S + 3))
    assert "in 3.0 s" in due(AT_S, AT_S - 3) and "overdue by 3.0 s" in due(AT_S, AT_S + 3)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("asked 62 s ago", "asked 65 s ago", True),
        ("asked 62 s ago", "asked 70 s ago", False),
        ("asked 0 ms ago", "asked 999 ms ago", False),
        ("asked 59 min ago", "asked 60 min ago", True),
        ("asked 3 h ago", "asked 5 h ago", False),
        ("60 s", "60 h", False),
        ("attempt 3 of 5", "attempt 4 of 5", False),
        ("2 sagas are stuck", "3 sagas are stuck", False),
    ],
)
def test_a_span_within_a_sentence_counts_by_steps_of_a_tenth(one: str, other: str, is_same: bool) -> None:
    assert (mark(one) == mark(other)) is is_same


class LaterClock(SystemClock):
    """Shows so much more than the machine's."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self._ahead_s = ahead_s

    def now_s(self) -> float:
        return super().now_s() + self._ahead_s


async def test_a_list_that_says_how_long_ago_things_were_is_the_same_ninety_seconds_later(place: PageStore) -> None:
    async with place.writing() as store:
        now_s = await store.now_s()
        await fill(store, saga("ORD-1", progress_at_s=now_s - 30.0))

    async def seen(ahead_s: float) -> tuple[str, str]:
        ports = replace(place.ports, clock=LaterClock(ahead_s))
        screen = await read_screen(PageDesk(view_of(place.url, ports), Contracts([]), "store"), read_address("/sagas"))
        parts = Drawing("store").parts(screen)
        return parts["list"], marks_of(parts)["list"]

    first, later = await seen(0.0), await seen(90.0)
    assert "30 s ago" in first[0] and "2 min ago" in later[0]
    assert first[1] == later[1]
