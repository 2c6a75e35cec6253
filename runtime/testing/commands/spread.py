"""Runs over several processes: seeds share nothing, so twice the cores are twice the seeds.

    command ──runs──▶ spread ──jobs=1──▶ here, one after another
                             └─jobs=2──▶ worker processes, each with a workload of its own

Results come as they are ready; with one job, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from typing import Protocol, TypeVar

from runtime.testing.commands.loading import workload_named
from runtime.testing.simulation.run import Result
from runtime.testing.simulation.workload import Workload

__all__ = ["Runner", "in_order", "spread"]

_AHEAD = 4  # runs handed out for each worker, so that none waits and a failure is seen early

Run = TypeVar("Run", contravariant=True)
Argument = TypeVar("Argument")
Found = TypeVar("Found")


class Runner(Protocol[Run]):
    """What does one run. It goes to other processes, so it is a function of a module, or a frozen record of such."""

    def __call__(self, workload: Workload, run: Run, /) -> Result: ...


def spread(runner: Runner[Run], workload: str, runs: Iterable[Run], *, jobs: int) -> Iterator[tuple[Run, Result]]:
    """Each run with its result. Raises what a run raises."""
    if jobs == 1:
        made = workload_named(workload)
        for run in runs:
            yield run, runner(made, run)
        return
    # Spawned, not forked: a worker begins like any other process, whatever this one has opened.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(workload,)) as pool:
        left = iter(runs)
        waiting = {pool.submit(_do, runner, run): run for run in islice(left, jobs * _AHEAD)}
        while waiting:
            done = next(as_completed(waiting))
            run = waiting.pop(done)
            for more in islice(left, 1):
                waiting[pool.submit(_do, runner, more)] = more
            yield run, done.result()


def in_order(function: Callable[[Argument], Found], arguments: Sequence[Argument], *, jobs: int) -> Iterator[Found]:
    """What a function of a module makes of each argument, in the order of the arguments, whatever ends first."""
    if jobs == 1:
        yield from map(function, arguments)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(function, argument) for argument in arguments]
        yield from (one.result() for one in waiting)


class _Worker:
    """One worker process: its workload, made once."""

    workload: Workload


def _begin(name: str) -> None:
    _Worker.workload = workload_named(name)


def _do(runner: Runner[Run], run: Run) -> Result:
    return runner(_Worker.workload, run)
