"""Spreads runs over several processes. Seeds share nothing, so twice the cores run twice the seeds.

    command ──runs──▶ spread ──jobs=1──▶ here, one after another
                             └─jobs=2──▶ worker processes, each with a workload of its own

Results come as they are ready; with one job they come in order. A signal that ends the command ends its workers too,
and no more results come.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Protocol, TypeVar

from runtime.testing.commands.ending import Ending
from runtime.testing.commands.loading import workload_named
from runtime.testing.runs.run import RunResult
from runtime.testing.runs.workload import Workload

__all__ = ["Runner", "in_order", "spread"]

_LOOK_S = 0.2  # Seconds between two looks at whether the command has to end.
_AHEAD = 4  # Each worker has so many runs queued: none waits, and a failure is seen early.

Run = TypeVar("Run", contravariant=True)
Argument = TypeVar("Argument")
Found = TypeVar("Found")


class Runner(Protocol[Run]):
    """Does one run. It is sent to other processes, so it is a function of a module or a `partial` of one."""

    def __call__(self, workload: Workload, run: Run, /) -> RunResult: ...


def spread(
    runner: Runner[Run], workload: str, runs: Iterable[Run], *, jobs: int, ending: Ending | None = None
) -> Iterator[tuple[Run, RunResult]]:
    """Gives each run with its result, until the command has to end. Raises what a run raises."""
    ending = Ending() if ending is None else ending
    if jobs == 1:
        made = workload_named(workload)
        for run in runs:
            if ending.signal:
                return
            yield run, runner(made, run)
        return
    # Workers are spawned and not forked: so they inherit nothing that this process has opened.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(workload,)) as pool:
        left = iter(runs)
        waiting = {pool.submit(_do, runner, run): run for run in islice(left, jobs * _AHEAD)}
        while waiting:
            done = _next(waiting, ending)
            if done is None:
                return
            run = waiting.pop(done)
            for more in islice(left, 1):
                waiting[pool.submit(_do, runner, more)] = more
            yield run, done.result()


def in_order(
    function: Callable[[Argument], Found], arguments: Sequence[Argument], *, jobs: int, ending: Ending
) -> Iterator[Found]:
    """Gives what a module's function returns for each argument, in order, until the command has to end."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
        waiting = [pool.submit(function, argument) for argument in arguments]
        for number, one in enumerate(waiting):
            if _next([one], ending) is None:
                finished = [other for other in waiting[number:] if other.done() and other.exception() is None]
                yield from (other.result() for other in finished)
                return
            yield one.result()


def _next(waiting: Iterable[Future[Found]], ending: Ending) -> Future[Found] | None:
    """The next one that is done. None if the command has to end; then its workers have been ended."""
    done: set[Future[Found]] = set()
    while not done and not ending.signal:
        done, _ = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
    if not ending.signal:
        return next(iter(done))
    for worker in active_children():
        worker.terminate()
    return None


class _Worker:
    """What one worker process keeps: its workload, which it makes once."""

    workload: Workload


def _begin_worker() -> None:
    """The parent alone heeds the terminal's signals. The worker ends when its parent is gone."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_parent, name="ends with its parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _begin(name: str) -> None:
    _begin_worker()
    _Worker.workload = workload_named(name)


def _do(runner: Runner[Run], run: Run) -> RunResult:
    return runner(_Worker.workload, run)
