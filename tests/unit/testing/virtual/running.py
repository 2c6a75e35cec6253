"""Runs one scenario on a simulated loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.virtual.order import CallbackOrder


def run(
    scenario: Callable[[SimLoop], Coroutine[Any, Any, None]], seed: int = 1, order: CallbackOrder = CallbackOrder.ANY
) -> SimLoop:
    loop = SimLoop(Dice(seed), order)
    try:
        loop.run_until_complete(loop.create_task(scenario(loop)))
    finally:
        loop.clean_up()
    return loop
