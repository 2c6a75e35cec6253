"""A thread that does a store's blocking work, one job after another, and answers on the event loop.

    coroutine ──run──▶ queue ──▶ thread: [file lock] ▶ claim ▶ work ──call_soon_threadsafe──▶ coroutine

What keeps a node alive (its lease) has a lane of its own: it goes before all that waits, and is never refused for
what others have queued; and other processes give way to it at the file lock. A job that waits too long for its turn is
taken back (StoreBusy); one that has begun is never interrupted: cancelling the coroutine that awaits it changes nothing
about the work.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from runtime.errors import StoreBusy, StoreUnavailable
from runtime.ports import Clock
from runtime.store.sqlite.lock import FileLock

__all__ = ["Worker"]

T = TypeVar("T")

_JOBS_MAX = 1_000
_VITAL_MAX = 100  # Membership never asks for so much at once.


class _Job(Generic[T]):
    """One piece of work. Either the thread claims it or its deadline takes it back, never both."""

    __slots__ = ("_guard", "_loop", "_taken", "answer", "work")

    def __init__(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.answer: asyncio.Future[T] = loop.create_future()
        self._loop = loop
        self._guard = threading.Lock()
        self._taken = False

    def claim(self) -> bool:
        with self._guard:
            mine, self._taken = not self._taken, True
        return mine

    def run(self) -> None:
        """On the thread: work, and hand the result or the error to the loop."""
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001 -- carried over to the coroutine that waits, where it is raised
            self.post(self.fail, error)
        else:
            self.post(self._succeed, result)

    def post(self, callback: Callable[[Any], None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, value)
        except RuntimeError:
            return  # the loop has ended, and with it everyone who waited

    def _succeed(self, result: T) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Note:
    """Work of any thread that nobody waits for. Only the latest is done, and its errors are dropped."""

    __slots__ = ("_guard", "_last", "_work")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._last: Callable[[], object] | None = None
        self._work: Callable[[], object] | None = None  # claimed

    def put(self, work: Callable[[], object]) -> bool:
        """Keep this work. Says whether it needs a place among the jobs, or has taken that of the work before."""
        with self._guard:
            before, self._last = self._last, work
        return before is None

    def claim(self) -> bool:
        with self._guard:
            self._work, self._last = self._last, None
        return self._work is not None

    def run(self) -> None:
        assert self._work is not None, "claimed"
        with suppress(Exception):
            self._work()

    def post(self, callback: Callable[[Any], None], value: object) -> None:
        callback(value)

    def fail(self, error: BaseException) -> None:
        """Do nothing: nobody waits to be told."""


class Worker:
    """Runs work on one thread, under a file lock if it has one, which is closed when the thread ends.

    At most 1,000 jobs wait, and 100 vital ones in a lane of their own; more are refused.
    """

    def __init__(self, name: str, clock: Clock, *, wait_s: float, lock: FileLock | None = None) -> None:
        self._name = name
        self._clock = clock
        self._wait_s = wait_s
        self._lock = lock
        self._jobs: SimpleQueue[_Job[Any] | _Note | None] = SimpleQueue()
        self._note = _Note()
        self._vital: deque[_Job[Any] | _Note] = (
            deque()
        )  # each has a place in the queue too, by which the thread wakes up
        self._hurry = threading.Event()  # set when a vital job has come: to wait for others' no longer
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # of whoever started it: asking each time is a system call

    def start(self) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    async def run(self, work: Callable[[], T], *, vital: bool = False, wait_s: float | None = None) -> T:
        """Do it on the thread, before all others if vital. Raises what it does; StoreBusy if it can't begin in time.

        A vital job waits for the one that has begun, for one turn of each other process at the file lock, and for
        nothing else.
        """
        if self._thread is None:
            raise StoreUnavailable(f"the store is closed ({self._name}); open it first")
        waiting, most = (len(self._vital), _VITAL_MAX) if vital else (self._jobs.qsize(), _JOBS_MAX)
        if waiting >= most:
            raise StoreBusy(f"{most} calls wait for the thread {self._name}, the most allowed; try again later")
        assert self._loop is not None  # since `start`
        job = _Job(work, self._loop)
        if vital:
            if self._lock is not None:
                self._lock.announce()  # the thread may stand at the lock, for another job
            self._vital.append(job)
            self._hurry.set()
        self._jobs.put(job)
        deadline = self._clock.call_later(self._wait_s if wait_s is None else wait_s, self._take_back, job)
        try:
            return await job.answer
        finally:
            deadline.cancel()

    def note(self, work: Callable[[], object]) -> None:
        """Do it on the thread as a vital job, for any thread: returns at once, and nobody learns what becomes of it.

        One that has not begun when the next comes is dropped.
        """
        if self._thread is not None and self._note.put(work):
            self._vital.append(self._note)
            self._hurry.set()
            self._jobs.put(self._note)

    async def stop(self, last: Callable[[], None], *, wait_s: float | None = None) -> None:
        """Do the queued work, then `last`, and end the thread. One stuck behind a foreign lock is left behind.

        May be called again, and by several at once.
        """
        thread = self._thread
        if thread is None:
            return
        try:
            await self.run(last, wait_s=wait_s)
        except StoreBusy:
            return
        finally:
            if self._thread is thread:
                self._thread = None
                self._jobs.put(None)
        thread.join()

    def _take_back(self, job: _Job[Any]) -> None:
        if job.claim():
            job.fail(self._busy())

    def _busy(self) -> StoreBusy:
        if self._lock is not None:
            return self._lock.busy(self._wait_s)
        return StoreBusy(f"the thread {self._name} was busy for more than {self._wait_s:g} s; try again later")

    def _serve(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                if self._lock is None:
                    self._do(job)
                else:
                    self._do_locked(job, self._lock)
        finally:
            # Not by whoever stops us: we may be left behind, still waiting for it.
            if self._lock is not None:
                self._lock.close()

    def _do(self, job: _Job[Any] | _Note) -> None:
        while self._vital:
            first = self._vital.popleft()
            if first.claim():
                first.run()
        if job.claim():
            job.run()

    def _do_locked(self, job: _Job[Any] | _Note, lock: FileLock) -> None:
        try:
            self._hurry.clear()
            if self._vital:
                lock.announce()
            else:
                lock.give_way(self._hurry.wait)
            lock.acquire()
            lock.withdraw()
        except Exception as error:  # noqa: BLE001 -- carried over to the coroutine that waits, where it is raised
            if job.claim():
                job.post(job.fail, error)
            return
        try:
            self._do(job)
        finally:
            lock.release()
