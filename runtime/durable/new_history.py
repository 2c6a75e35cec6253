"""What a node does when its store has become another history: it forgets what it knows, and looks for what is lost.

    store ──turned──▶ NewHistory ──▶ membership    every actor leaves memory; it joins, takes its shards, sweeps them
                         │       ──▶ enrol         versions and subscriptions, which may be gone as well
                         └──settle──▶ store ──▶ CommitsLost, by the names of actors; calls whose command is gone

Safety needs none of this: a turn that started from a lost row is refused by the store, as any stale turn is. Without
it, each actor would find that out by a conflict of its own, a caller would wait for a command that nobody has any more,
and nobody would ever learn what was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Protocol, TypeVar

from runtime.backoff import Backoff
from runtime.durable.waiting.calls import PendingCalls
from runtime.envelope import address_of, decode
from runtime.errors import InvalidMessage, StoreError, StoreUnavailable
from runtime.ports import Fact, Ports
from runtime.store.committer import Committer
from runtime.store.port import TurningStore, TurnStore
from runtime.store.records import Transition

__all__ = ["CommitsLost", "NewHistory", "StoreTurned"]

_AGAIN = Backoff(0.05, 2.0, jitter=0.0)
_TOGETHER_MAX = 256  # commits asked for at once
_NAMED_MAX = 50  # actors in one fact

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreTurned(Fact):
    """The store is another history than the one this node has worked with; `since_s` is 0.0 if nobody knows."""

    level: ClassVar[str] = "warning"
    what: str
    may_have_lost: bool
    since_s: float


@dataclass(frozen=True, slots=True)
class CommitsLost(Fact):
    """Commits that were confirmed are gone from the store; these actors are what they were before them."""

    level: ClassVar[str] = "error"
    commits: int
    actors: tuple[str, ...]


class LosingStore(TurnStore, TurningStore, Protocol):
    """A store that can lose what it has confirmed, and tells."""


class NewHistory:
    """`start_over` is membership's."""

    def __init__(
        self,
        store: LosingStore,
        committer: Committer,
        calls: PendingCalls,
        ports: Ports,
        start_over: Callable[[str], object],
    ) -> None:
        self._store = store
        self._committer = committer
        self._calls = calls
        self._ports = ports
        self._start_over = start_over

    def follow(
        self, enrol: Callable[[], Awaitable[None]], crashed: Callable[[BaseException], object]
    ) -> asyncio.Task[None]:
        """Go on from each new history of the store, until the task is cancelled.

        `enrol` writes what the node tells of its kinds, and may raise StoreError; `crashed` hears of a bug.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                crashed(error)

        following = self._ports.tasks.start(self._follow(enrol), name="history of the store")
        following.add_done_callback(ended)
        return following

    async def _follow(self, enrol: Callable[[], Awaitable[None]]) -> None:
        while True:
            told = await self._store.turned()
            self._ports.report(StoreTurned(told.what, told.may_have_lost, told.since_s))
            self._start_over(told.what)
            recent = self._committer.recent
            before = recent.take() if recent is not None else []
            await self._again(enrol)
            lost = await self._lost_of(before)
            self._report(lost)
            self._fail_calls(lost)

    async def _lost_of(self, commits: Sequence[Transition]) -> list[Transition]:
        """Those that are not there. None of them can come back."""
        lost: list[Transition] = []
        rest = iter(commits)
        while page := list(islice(rest, _TOGETHER_MAX)):
            there = await self._again(lambda page=page: self._store.settle(page))  # type: ignore[misc]
            lost += [commit for commit, is_there in zip(page, there, strict=True) if not is_there]
        return lost

    async def _again(self, act: Callable[[], Awaitable[T]]) -> T:
        """Until the store answers: what has just taken over may still refuse."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await act()
            except StoreError:
                await self._ports.clock.sleep(_AGAIN.pause_s(attempt))

    def _report(self, lost: Sequence[Transition]) -> None:
        names = iter(dict.fromkeys(name for commit in lost for name in _actors_of(commit)))
        commits = len(lost)
        while page := tuple(islice(names, _NAMED_MAX)):
            self._ports.report(CommitsLost(commits, page))

    def _fail_calls(self, lost: Iterable[Transition]) -> None:
        """Whoever waits for the outcome of a command that nobody has any more learns so."""
        for commit in lost:
            for row in commit.mail:
                try:
                    call = decode(row.envelope).answer_to
                except InvalidMessage:
                    continue
                self._calls.fail(
                    call,
                    StoreUnavailable(
                        f"the store has lost the command {row.id.hex()} to {address_of(*row.address)}, as another "
                        "server took over; send it again, with the same id"
                    ),
                )


def _actors_of(commit: Transition) -> Iterable[str]:
    """Whose turn it was, or whose mail."""
    address = commit.actor.address if commit.actor is not None else commit.address
    if address is not None:
        yield address_of(*address)
    else:
        yield from (address_of(*row.address) for row in commit.mail)
