"""Group commit: transitions of many actors share one transaction, and each learns its own verdict.

    turn, client ──submit──▶ queue ──all of it──▶ Store.commit ──verdicts──▶ done callbacks, on the loop

While one commit is under way others queue; the next takes all that is queued and never waits for more, so the batch
is as large as the load makes it, and a lone transition pays no delay.

What an error means is decided here, once:

- a definite error: nothing was written; each transition of the batch is told, and whoever submitted it decides;
- an unknown outcome: the store is asked until it answers, meanwhile nobody is told anything. What is there was
  committed. What is not there can no longer get there, so committing it anew is as safe as it was the first time: that
  is done once, and a second unknown attempt that turns out missing is reported as StoreUnavailable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runtime.backoff import Backoff
from runtime.errors import CommitUnknown, Overloaded, StoreCorrupt, StoreError, StoreReplaced, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.batch import Batch
from runtime.store.commit_counts import CommitCounts
from runtime.store.facts import (
    CallbackFailed,
    CommitFailed,
    CommitOutcomeUnknown,
    CommitSettled,
    CommitSlow,
    CommitterStopped,
    SettleFailed,
)
from runtime.store.groups import TransitionGroup, Unit
from runtime.store.port import TurningStore, TurnStore
from runtime.store.recent_commits import RecentCommits
from runtime.store.records import Verdict

__all__ = ["Committer", "Done"]

_COMMITTED = Verdict.COMMITTED  # Looked up once, since each transition asks for it.

Done = Callable[[Verdict | StoreError], None]
"""Told what became of a transition: exactly once, from the event loop, never before `submit` has returned."""

_Job = tuple[Unit, Done, int]  # with the bytes that it weighs, which each batch asks for

_SETTLE = Backoff(0.05, 2.0, jitter=0.0)  # The pauses between questions to a store that does not answer.


class Committer:
    """Submits transitions to the store in groups. One per node.

    `batch_max` and `batch_bytes_max` bound one transaction, in which other nodes of a shared store wait; one transition
    always goes, whatever its size. `waiting_max` bounds the queue behind it: a full queue refuses with Overloaded what
    has not run yet, such as a client's command. A turn is taken all the same: there is one for each actor in memory.
    `recent` has what was committed lately, where the store may lose it.
    """

    def __init__(
        self,
        store: TurnStore,
        ports: Ports,
        *,
        batch_max: int = 256,
        batch_bytes_max: int = 1_048_576,
        waiting_max: int = 10_000,
        slow_s: float = 1.0,
    ) -> None:
        self.stats = CommitCounts()
        self._store = store
        self._ports = ports
        self._batch_max = batch_max
        self._batch_bytes_max = batch_bytes_max
        self.waiting_max = waiting_max
        self._slow_s = slow_s
        self.recent = RecentCommits(ports.clock) if isinstance(store, TurningStore) else None
        self._queue: deque[_Job] = deque()
        self._drain: asyncio.Task[None] | None = None
        self._when_free: list[Callable[[], object]] = []
        self.held_back = 0  # commands that others hold back until no commit is under way; they count them
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many transitions queue behind the commit under way, and commands that are held back until its end."""
        return len(self._queue) + self.held_back

    def when_free(self, do: Callable[[], object]) -> None:
        """Call this once no commit is under way. What it then submits may share the next.

        It must not raise. A closed committer calls it, too.
        """
        if self._drain is None:
            self._ports.tasks.call_soon(do)
        else:
            self._when_free.append(do)

    def submit(self, unit: Unit, done: Done) -> None:
        """Queue a transition or a group.

        Raises StoreUnavailable after `close`, and Overloaded for a post to a full queue.
        """
        if self._closed:
            raise StoreUnavailable("this node is stopping and takes no more work; send it to another node")
        if len(self._queue) >= self.waiting_max and not _has_run(unit):
            raise Overloaded(f"{len(self._queue)} transitions wait for the store, the most allowed; try again later")
        self._queue.append((unit, done, unit.weight_bytes))
        if self._drain is None:
            self._drain = self._ports.tasks.start(self._drain_queue(), name="committer")

    async def close(self) -> None:
        """Refuse new work, commit what is queued, and return when every callback was called."""
        first = not self._closed
        self._closed = True
        while self._drain is not None:
            # Shielded: who waits for the flush may be cancelled, a commit may not.
            await asyncio.shield(self._drain)
        if first:
            stats = self.stats
            self._ports.report(
                CommitterStopped(stats.commits, stats.transitions, stats.conflicts, stats.failures, stats.unknown)
            )

    async def _drain_queue(self) -> None:
        try:
            while self._queue:
                await self._one_round()
                batch = [self._queue.popleft()]
                batch += self._more(batch)
                missing = await self._commit(batch)
                if missing:
                    self._give_up(await self._commit(missing))
                self._tell_free()
        finally:
            self._drain = None
            self._tell_free()

    def _tell_free(self) -> None:
        waiting, self._when_free = self._when_free, []
        for do in waiting:
            do()

    async def _one_round(self) -> None:
        """Let everything that is ready on the loop run first, since it may join the commit. No timer is set."""
        ready = self._ports.tasks.new_future()
        self._ports.tasks.call_soon(ready.set_result, None)
        await ready

    async def _commit(self, jobs: list[_Job]) -> list[_Job]:
        """Commit once and tell everyone; gives those of an unknown outcome that turned out not to be written."""
        batch = Batch([unit for unit, _, _ in jobs], lambda: self._join(jobs))
        started_s = self._ports.clock.monotonic_s()
        self._ports.failpoint(Failpoint.COMMIT_GATHERED)
        try:
            verdicts = await self._store.commit(batch)
        except CommitUnknown as error:
            self.stats.unknown += 1
            self._ports.report(CommitOutcomeUnknown(str(error), len(jobs)))
            return await self._settle(jobs, batch)
        except StoreError as error:
            self._ports.report(CommitFailed(str(error), len(jobs)))
            self._fail(jobs, error)
            return []
        except Exception as error:  # noqa: BLE001 -- a store's bug says as little of the outcome as a lost reply does
            self.stats.unknown += 1
            self._ports.report(CommitOutcomeUnknown(repr(error), len(jobs)))
            return await self._settle(jobs, batch)
        took_s = self._ports.clock.monotonic_s() - started_s
        if took_s > self._slow_s:
            self._ports.report(CommitSlow(took_s, len(jobs)))
        self.stats.committed([unit for unit, _, _ in jobs], took_s)
        self._ports.failpoint(Failpoint.COMMIT_ANSWERED)
        self._keep(batch, [verdict is _COMMITTED for verdict in verdicts])
        for (unit, done, _), verdict in zip(jobs, verdicts, strict=True):
            self._tell(unit, done, verdict)
        self._ports.failpoint(Failpoint.COMMIT_TOLD)
        return []

    def _join(self, jobs: list[_Job]) -> list[Unit]:
        """Add to the commit what has come since it was begun. May run on the store's thread.

        The queue is the only thing that both threads touch, and taking from its end is atomic.
        """
        new = self._more(jobs)
        jobs += new
        return [unit for unit, _, _ in new]

    def _more(self, jobs: Sequence[_Job]) -> list[_Job]:
        """What a batch with these still has room for, taken from the queue in order."""
        room, room_bytes = self._batch_max - len(jobs), self._batch_bytes_max
        room_bytes -= sum([weight for _, _, weight in jobs])
        new: list[_Job] = []
        queue = self._queue
        while queue and len(new) < room:
            room_bytes -= queue[0][2]
            if room_bytes < 0:
                break
            new.append(queue.popleft())
        return new

    async def _settle(self, jobs: list[_Job], batch: Sequence[Unit]) -> list[_Job]:
        self._ports.failpoint(Failpoint.COMMIT_UNKNOWN)
        try:
            there = await self._ask(batch)
        except StoreError as error:
            self._fail(jobs, error)
            return []
        self._ports.failpoint(Failpoint.COMMIT_SETTLED)
        missing = [job for job, is_there in zip(jobs, there, strict=True) if not is_there]
        self._ports.report(CommitSettled(len(jobs) - len(missing), len(missing)))
        self._keep(batch, there)
        for (unit, done, _), is_there in zip(jobs, there, strict=True):
            if is_there:
                self._tell(unit, done, Verdict.COMMITTED)
        return missing

    async def _ask(self, batch: Sequence[Unit]) -> list[bool]:
        """Ask the store until it answers: anything else could report as failed what has happened."""
        attempt = 0
        while True:
            attempt += 1
            pause_s = _SETTLE.pause_s(attempt)
            try:
                return await self._store.settle(batch)
            except (StoreCorrupt, StoreReplaced):
                raise  # this store will never answer, and the node stops
            except Exception as error:  # noqa: BLE001 -- whatever it is, only an answer settles the question
                self._ports.report(SettleFailed(str(error) or repr(error), pause_s))
            await self._ports.clock.sleep(pause_s)

    def _keep(self, batch: Sequence[Unit], written: Sequence[bool]) -> None:
        if self.recent is not None:
            self.recent.add([one for one, is_written in zip(batch, written, strict=True) if is_written])

    def _give_up(self, jobs: list[_Job]) -> None:
        if jobs:
            self._fail(jobs, StoreUnavailable("the store lost the commit twice; nothing was written, try again later"))

    def _fail(self, jobs: Sequence[_Job], error: StoreError) -> None:
        self.stats.failed([unit for unit, _, _ in jobs])
        for unit, done, _ in jobs:
            self._tell(unit, done, error)

    def _tell(self, unit: Unit, done: Done, outcome: Verdict | StoreError) -> None:
        if isinstance(outcome, Verdict):
            self.stats.told(unit, outcome)
        try:
            done(outcome)
        except Exception as error:  # noqa: BLE001 -- one caller's bug must not keep its neighbours from their verdicts
            self._ports.report(CallbackFailed(repr(error)))


def _has_run(unit: Unit) -> bool:
    """Whether handlers were called for it. They must not be called again only because much else waits."""
    if isinstance(unit, TransitionGroup):
        return True
    return unit.actor is not None or bool(unit.rescheduled)
