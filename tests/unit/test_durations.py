"""Spans of time: a timedelta or a number of seconds wherever an author writes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import RetryPolicy
from runtime.durations import days, hours, minutes, seconds, shown
from runtime.errors import InvalidDefinition
from runtime.protos.durable_pb2 import TimerFired
from runtime.saga.step import Budget
from tests.unit.saga.test_checks import bill, one
from tests.unit.saga.test_mistakes import good, serve

UNITS: list[Any] = [seconds, minutes, hours, days]


@pytest.mark.parametrize("count", [True, "30", None, b"3", [3], 3j, timedelta(seconds=3)])
@pytest.mark.parametrize("unit", UNITS)
def test_a_duration_that_is_no_number_is_refused_where_it_is_written(unit: Any, count: Any) -> None:
    with pytest.raises(InvalidDefinition, match=rf"^{unit.__name__}\(.*\): a duration is made of a number"):
        unit(count)


@pytest.mark.parametrize("count", [10**400, 1e300, float("inf"), float("nan")])
@pytest.mark.parametrize("unit", UNITS)
def test_a_duration_that_no_clock_can_reach_is_refused_where_it_is_written(unit: Any, count: Any) -> None:
    with pytest.raises(InvalidDefinition, match=rf"^{unit.__name__}\(.*\): a duration is finite, and at most"):
        unit(count)


def test_a_duration_is_a_timedelta_of_any_real_number() -> None:
    counts: list[Any] = [1, Decimal("1.5"), Fraction(1, 2)]
    assert [*map(seconds, counts)] == [timedelta(seconds=1), timedelta(seconds=1.5), timedelta(seconds=0.5)]
    assert [minutes(2), hours(2), days(2)] == [timedelta(seconds=120), timedelta(hours=2), timedelta(days=2)]


@pytest.mark.parametrize("span", [2.0, seconds(2)])
def test_spans_are_numbers_of_seconds_or_timedeltas_wherever_they_stand(span: Any) -> None:
    budget = Budget(backoff=span, backoff_max=span)
    saga = one(bill(timeout=span, budget=budget), deadline=span)
    assert (saga.definition.deadline_s, saga.definition.steps[0].timeout_s, budget.pause_s(5)) == (2.0, 2.0, 2.0)
    service = serve(good, retries=RetryPolicy(delays=(span,), timer_pause=span), handler_timeout=span)
    retries = service.retries
    assert (retries.delays_s, retries.timer_pause_s, retries.handler_timeout_s) == ((2.0,), 2.0, 2.0)
    till = service.of()
    till.set_timer("ring", span, BillOrder())
    assert [timer.due_at_s for timer in till.timer_changes] == [2.0]


@pytest.mark.parametrize("pause_s", [-1.0, float("nan"), float("inf"), True, "3", None])
def test_a_pause_of_timers_is_a_span(pause_s: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"service Bad: retries.timer_pause is finite"):
        serve(good, retries=RetryPolicy(timer_pause=pause_s))


@dataclass(frozen=True)
class Record:
    text: str


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Record, "Record"),
        (str, "str"),
        (seconds, "seconds"),
        (len, "len"),
        (lambda: None, "<lambda>"),
        (Record("a"), "a Record"),
        (b"secret", "6 bytes"),
        ((Record, "a"), "(Record, 'a')"),
        ([1, b"x", *"abcdef"], "[1, 1 bytes, 'a', 'b', 'c', ...]"),
        ("soon", "'soon'"),
        (TimerFired(name="a"), "a TimerFired"),
        (10**40, "a number of about 40 digits"),
    ],
)
def test_a_value_in_an_error_is_named_as_its_author_knows_it(value: object, named: str) -> None:
    assert shown(value) == named
