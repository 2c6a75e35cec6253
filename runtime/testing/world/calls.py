"""Calls of outside clients to one simulated node. Each takes time there, and time back.

client ──call──▶ SimCalls ──a hop later──▶ the node, if it takes calls ──a hop later──▶ the answer
                     ▲
              died ──┘   callers that wait learn only that the node is gone
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from runtime.errors import AmendsError
from runtime.host import Node
from runtime.ports import Ports
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop, check_alive
from runtime.testing.world.database import Database
from runtime.testing.world.front import NodeDown

__all__ = ["SimCalls"]

_T = TypeVar("_T")
_HOP_S = (0.0002, 0.003)  # The least and the greatest delay between a client and a node.


class SimCalls:
    """The calls to one node, over all its lives. `at` gives the node and its ports while it takes calls, else None."""

    def __init__(
        self, name: str, loop: SimLoop, database: Database, dice: Dice, at: Callable[[], tuple[Node, Ports] | None]
    ) -> None:
        self._name = name
        self._loop = loop
        self._database = database
        self._dice = dice
        self._at = at
        self._open: dict[asyncio.Future[Any], None] = {}

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        """Has the node do something for a client. Raises NodeDown, and what the node raises."""
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._hop(self._take, what, answer)
        self._database.later(timeout_s, _fail, answer, NodeDown(f"{self._name} did not answer in {timeout_s:g} s"))
        return await answer

    def died(self) -> None:
        """Fails every call that waits for an answer of this life."""
        calls, self._open = self._open, {}
        for call in calls:
            _fail(call, NodeDown(f"{self._name} died"))

    def _take(self, what: Callable[[Node], Awaitable[_T]], answer: asyncio.Future[_T]) -> None:
        found = self._at()
        if found is None:
            self._hop(_fail, answer, NodeDown(f"{self._name} takes no calls"))
            return
        node, ports = found
        self._open[answer] = None
        answer.add_done_callback(lambda done: self._open.pop(done, None))
        ports.tasks.start(self._serve(what, node, answer), name=f"call of {self._name}")

    async def _serve(self, what: Callable[[Node], Awaitable[_T]], node: Node, answer: asyncio.Future[_T]) -> None:
        try:
            result = await what(node)
            check_alive()
        except AmendsError as error:
            self._hop(_fail, answer, error)
        else:
            self._hop(_answer, answer, result)

    def _hop(self, callback: Callable[..., object], *arguments: object) -> None:
        self._database.later(self._dice.between(*_HOP_S), callback, *arguments)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _answer(answer: asyncio.Future[_T], result: _T) -> None:
    if not answer.done():
        answer.set_result(result)
