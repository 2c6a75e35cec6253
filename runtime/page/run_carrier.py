"""Carries runs on in the process of the page: each in a task of its own, until nothing is left or nobody is there.

A run that this process began, or was told to resume, is its work alone. Who is ended leaves the rest to whoever resumes
it, since the store has what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from runtime.errors import AmendsError, Overloaded
from runtime.operate.runs import carry_on, kept_run
from runtime.ports import Fact, Ports
from runtime.store.port import OperatorStore

__all__ = ["RUNS_MAX", "RunCarrier", "RunStopped"]

RUNS_MAX = 10
"""So many are carried on at once; another one has to wait for a person who resumes it."""

_WAIT_S = 10.0  # for a node that handles what was posted
_TOLD_MAX = 100

_Run = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RunStopped(Fact):
    """A run does not go on here before all of it is done. Its page says why, and it can be resumed."""

    level: ClassVar[str] = "warning"

    run: str
    error: str


class RunCarrier:
    def __init__(self, store: Callable[[], AbstractAsyncContextManager[OperatorStore]], ports: Ports) -> None:
        self._store = store
        self._ports = ports
        self._tasks: dict[_Run, asyncio.Task[Any]] = {}
        self._stopped: dict[_Run, str] = {}
        self._closed = False

    @property
    def stopped(self) -> Mapping[_Run, str]:
        """Why runs do not go on here, of the last ones that stopped."""
        return self._stopped

    def carries(self, kind: str, name: str) -> bool:
        return (kind, name) in self._tasks

    def carry(self, kind: str, name: str) -> None:
        """Go on with this run, unless that happens already. Raises Overloaded."""
        run = kind, name
        if run in self._tasks:
            return
        if self._closed:
            raise Overloaded("this page ends: resume the operation at the next one")
        if len(self._tasks) >= RUNS_MAX:
            raise Overloaded(f"{RUNS_MAX} operations go on here already: resume this one when one of them has ended")
        self._stopped.pop(run, None)
        self._tasks[run] = self._ports.tasks.start(self._go_on(*run), name=f"operation {name}")

    async def close(self) -> None:
        """Stop after what is being written now. What is left can be resumed."""
        self._closed = True
        for task in list(self._tasks.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _go_on(self, kind: str, name: str) -> None:
        try:
            async with self._store() as store:
                left = await self._carried(store, kind, name)
            if left:
                self._stop(kind, name, "no node has handled what is left")
        except AmendsError as error:
            self._stop(kind, name, str(error))
        finally:
            self._tasks.pop((kind, name), None)

    async def _carried(self, store: OperatorStore, kind: str, name: str) -> int:
        """How many are left."""
        run = await kept_run(store, kind, name)
        return (await carry_on(store, run, self._ports.clock, wait_s=_WAIT_S)).left

    def _stop(self, kind: str, name: str, error: str) -> None:
        self._stopped[kind, name] = error
        while len(self._stopped) > _TOLD_MAX:
            del self._stopped[next(iter(self._stopped))]
        self._ports.report(RunStopped(name, error))
