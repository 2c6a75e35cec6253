"""Mail that a node may have died over: each message runs by itself, after the store has noted that it does.

    membership ──a node has gone without leaving──▶ Sweeper.take_over ──what waits in its shards──▶ Suspects
    activation ◀── one at a time of a kind, each noted in the history before it begins (see trials) ──┘

A handler that ends its process takes the runs of all its neighbours with it. So after such a death nothing runs beside
a suspect of its kind: the next death is that of the message on trial, and its budget is `node_deaths_max` of them.
Where every node leaves cleanly there are no suspects, and nothing here costs anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from runtime.envelope import Address, Envelope
from runtime.ports import Tasks
from runtime.store.records import MailRow

__all__ = ["Suspects"]

_SUSPECTS_MAX = 4096  # of a kind at once; mail beyond it is treated like any other


class Suspects:
    """Those of one kind on one node, and whose turn it is."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._ids: dict[bytes, str] = {}  # and the node that is gone
        self._noted: set[bytes] = set()  # of those, whose trial the store knows of
        self._on_trial: Address | None = None
        self._waiting: deque[tuple[Address, asyncio.Future[None]]] = deque()
        self.is_empty = True  # an attribute, for each turn asks

    def add(self, id: bytes, node: str) -> None:
        """This waited for an actor of a node that is gone."""
        if id not in self._ids and len(self._ids) < _SUSPECTS_MAX:
            self._ids[id] = node
            self.is_empty = False

    def add_due(self, rows: Iterable[MailRow], node: str, now_s: float) -> None:
        """Those of an actor that may have run there by now."""
        for row in rows:
            if row.due_at_s <= now_s:
                self.add(row.id, node)

    def to_be_noted(self, id: bytes) -> str:
        """The node that may have died over a suspect whose trial the store does not know of yet; else empty."""
        return "" if id in self._noted else self._ids.get(id, "")

    def noted(self, id: bytes) -> None:
        """The store knows of its trial: should it run again here, nobody has died over it since."""
        self._noted.add(id)

    def fitting(self, batch: Sequence[Envelope]) -> int:
        """How many of a batch may run in one turn: a suspect alone, and others up to the first that is one."""
        for count, envelope in enumerate(batch):
            if envelope.id in self._ids:
                return max(1, count)
        return len(batch)

    async def await_trial(self, address: Address, id: bytes) -> None:
        """Return when no other suspect of the kind runs; at once for what is no suspect."""
        if id not in self._ids or self._on_trial == address:
            return
        if self._on_trial is None:
            self._on_trial = address
            return
        turn = self._tasks.new_future()
        self._waiting.append((address, turn))
        try:
            await turn
        except BaseException:
            self.done_with(address)
            raise

    def done_with(self, address: Address, ids: Iterable[bytes] = ()) -> None:
        """An actor's turn has ended, or the actor has left memory: the next suspect may run."""
        for id in ids:
            self._ids.pop(id, None)
            self._noted.discard(id)
        if self._on_trial == address:
            self._on_trial = self._next()
        self.is_empty = not self._ids and self._on_trial is None

    def _next(self) -> Address | None:
        while self._waiting:
            address, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return address
        return None
