"""Explores every schedule of one saga within bounds, for users' tests and for the command line.

def test_no_schedule_breaks_my_saga() -> None:
    explore(MySaga).check()

explore ──▶ Samples, SagaDriver ──▶ Search over FewerMoves, with Checks ──▶ Exploration
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.adapters import SystemClock
from runtime.saga.saga import Saga
from runtime.testing.explorer.alike import Alike
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.driver import SagaDriver
from runtime.testing.explorer.fewer_moves import FewerMoves
from runtime.testing.explorer.leftovers import Leftovers
from runtime.testing.explorer.moves import Moves
from runtime.testing.explorer.result import BrokenCheck, Exploration
from runtime.testing.explorer.samples import Samples
from runtime.testing.explorer.schedule import diagram
from runtime.testing.explorer.search import Search

__all__ = ["explore", "searched"]


def explore(
    saga: type[Saga[Any]],
    *,
    samples: Sequence[Message] = (),
    bounds: Bounds | None = None,
    progress: Callable[[int, int], None] | None = None,
    ended_by: Callable[[], str] | None = None,
    every_move: bool = False,
) -> Exploration:
    """Tries every schedule of `saga` within the bounds. The result has the shortest ones that break a promise.

    `samples` replace made-up messages: the starting event and answers. All samples of one type are tried. `progress`
    hears how many states are known, and how deep they are. The search stops early once `ended_by` names what ends it.
    With `every_move` it tries every order of moves, also where the order makes no difference: a slow way to the same.
    Raises InvalidMessage for samples that fit nothing.
    """
    bounds, clock = bounds or Bounds(), SystemClock()
    began_s = clock.monotonic_s()
    driver = SagaDriver(saga, Samples(saga.definition, samples), bounds.asks_max)
    search = searched(driver, bounds, progress or (lambda *_: None), ended_by or str, every_move=every_move)
    violations = (BrokenCheck(*breach, diagram(driver, path)) for breach, path in search.found.items())
    return Exploration(
        saga=saga.__name__,
        kind=saga.definition.name,
        version=saga.definition.fingerprint.hex(),
        bounds=bounds,
        states=search.states,
        transitions=search.transitions,
        depth=search.depth,
        took_s=clock.monotonic_s() - began_s,
        ended_at_s=clock.now_s(),
        complete=not search.stopped_by and not search.found,
        stopped_by=search.stopped_by or ("violations" if search.found else ""),
        ends=dict(search.ends),
        violations=tuple(sorted(violations, key=lambda one: one.moves)),
    )


def searched(
    driver: SagaDriver,
    bounds: Bounds,
    progress: Callable[[int, int], None],
    ended_by: Callable[[], str],
    *,
    every_move: bool,
) -> Search:
    """A search that is over. It is done once more where something was left out that makes a difference."""
    leftovers, alike = Leftovers(driver), Alike(driver)
    moves = Moves(driver, bounds) if every_move else FewerMoves(driver, bounds, leftovers, alike)
    while True:
        search = Search(driver, moves, bounds.states_max, progress, ended_by)
        search.run()
        if ended_by() or not (leftovers.refute() or alike.refute()):
            return search
