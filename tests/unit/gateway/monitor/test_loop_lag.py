"""The lag of a loop is how late its timers come, the one that is overdue now included."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from runtime.gateway.monitor.loop_lag import LoopLag
from runtime.ports import Cancellable, Clock


class LateTimers:
    """A clock whose timers come when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.delay_s = 0.0
        self.fire: Callable[..., object] | None = None

    def monotonic_s(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[..., object]) -> Cancellable:
        self.delay_s, self.fire = delay_s, callback
        return self

    def cancel(self) -> None:
        self.fire = None

    def comes(self, *, late_s: float) -> None:
        """The timer that is set comes so late."""
        assert self.fire is not None
        self.now_s += self.delay_s + late_s
        self.fire()


def watched() -> tuple[LoopLag, LateTimers]:
    clock = LateTimers()
    lag = LoopLag(cast("Clock", clock))
    lag.start()
    return lag, clock


def test_the_longest_delay_is_told_for_half_a_minute() -> None:
    lag, clock = watched()
    clock.comes(late_s=0.25)
    clock.comes(late_s=0.0)
    assert lag.longest_s == 0.25
    for _ in range(60):
        clock.comes(late_s=0.0)
    assert lag.longest_s == 0.0


def test_a_timer_that_has_not_come_yet_counts_as_late() -> None:
    lag, clock = watched()
    clock.now_s += clock.delay_s + 2.0
    assert lag.longest_s == 2.0


def test_after_its_end_nothing_is_set_and_nothing_is_overdue() -> None:
    lag, clock = watched()
    lag.stop()
    clock.now_s += 60.0
    assert clock.fire is None
    assert lag.longest_s == 0.0
