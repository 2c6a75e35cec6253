"""What was written is old when so much time was lived through, whatever wall clocks said."""

from __future__ import annotations

import random

import pytest

from runtime.store.lived import Lived

DAY_S = 86_400.0


def test_nothing_is_old_before_so_much_was_lived_through() -> None:
    lived = Lived().on(0.0, 1e9).on(99.0, 1e9 + 99.0)
    assert lived.before_s(100.0) == float("-inf")
    assert lived.on(2.0, 1e9 + 101.0).before_s(100.0) == 1e9 + 1.0


@pytest.mark.parametrize("off_s", [-365 * DAY_S, -61.0, 61.0, 8 * DAY_S])
def test_a_jump_and_a_pause_count_for_nothing(off_s: float) -> None:
    lived = Lived().on(0.0, 1e9).on(50.0, 1e9 + 50.0 + off_s).on(49.0, 1e9 + 99.0 + off_s)
    assert lived.before_s(100.0) == float("-inf")
    assert lived.on(2.0, 1e9 + 101.0 + off_s).before_s(100.0) == 1e9 + 1.0 + min(0.0, off_s + 49.0)


def test_a_text_keeps_it_all() -> None:
    lived = Lived().on(0.0, 1e9 + 0.123456).on(50.25, 7.5)
    assert Lived.from_text(lived.as_text()) == lived
    assert Lived.from_text(Lived().as_text()) == Lived()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_clocks_did_what_was_written_is_kept_for_so_long(seed: int) -> None:
    dice = random.Random(seed)
    lived, true_s, off_s = Lived(), 0.0, 1e9
    written: list[tuple[float, float]] = []  # when in truth, and what the clock said
    for _ in range(600):
        if dice.random() < 0.4:
            off_s += dice.choice([-8 * DAY_S, -100.0, -0.5, 30.0, 100.0, 8 * DAY_S])
            lived = lived.on(0.0, true_s + off_s)
        by_s = dice.choice([1.0, 30.0, 300.0])
        true_s += by_s
        lived = lived.on(by_s, true_s + off_s).without(1000.0)
        assert len(lived.stretches) <= 100
        before_s = lived.before_s(1000.0)
        written.append((true_s, true_s + off_s))
        recent = [clock_s for at_s, clock_s in written if true_s - at_s < 1000.0]
        assert before_s <= min(recent) + 1.0
    assert lived.before_s(1000.0) > float("-inf")
