"""Explores every schedule of one saga within bounds, for users' tests and for the command line.

def test_no_schedule_breaks_my_saga() -> None:
    explore(MySaga).check()

explore ──▶ Samples, SagaDriver ──▶ Search over Moves, with Checks ──▶ Exploration
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.adapters import SystemClock
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.driver import SagaDriver
from runtime.testing.explorer.moves import Moves
from runtime.testing.explorer.result import BrokenCheck, Exploration
from runtime.testing.explorer.samples import Samples
from runtime.testing.explorer.schedule import diagram
from runtime.testing.explorer.search import Search

__all__ = ["explore"]


def explore(
    saga: type[Saga[Any]],
    *,
    samples: Sequence[Message] = (),
    bounds: Bounds | None = None,
    progress: Callable[[int, int], None] | None = None,
    ended_by: Callable[[], str] | None = None,
) -> Exploration:
    """Tries every schedule of `saga` within the bounds. The result has the shortest ones that break a promise.

    `samples` replace made-up messages: the starting event and answers. All samples of one type are tried. `progress`
    hears how many states are known, and how deep they are. The search stops early once `ended_by` names what ends it.
    Raises InvalidMessage for samples that fit nothing.
    """
    bounds, clock = bounds or Bounds(), SystemClock()
    began_s = clock.monotonic_s()
    driver = SagaDriver(saga, Samples(saga.definition, samples), bounds.asks_max)
    search = Search(driver, Moves(driver, bounds), bounds.states_max, progress or (lambda *_: None), ended_by or str)
    search.run()
    violations = (BrokenCheck(*found.breach, diagram(driver, found.path)) for found in search.found)
    return Exploration(
        saga=saga.__name__,
        bounds=bounds,
        states=search.states,
        transitions=search.transitions,
        depth=search.depth,
        took_s=clock.monotonic_s() - began_s,
        complete=not search.stopped_by and not search.found,
        stopped_by=search.stopped_by or ("violations" if search.found else ""),
        ends=dict(search.ends),
        violations=tuple(sorted(violations, key=lambda one: one.moves)),
    )
