"""The world of the clients of one series. They outlive every life of the node, and call the present one.

clients ──call──▶ Socket ──▶ the present Life, or NodeDown while there is none
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runtime.host import Node
from runtime.ports import Ports
from runtime.testing.rules.ledger import Ledger
from runtime.testing.world.front import NodeDown
from tests.proof.power.life import Life

__all__ = ["OneNodeWorld", "Socket"]

_T = TypeVar("_T")
_PACE = 0.01  # When clients wait for a second, it takes so many real seconds.
_DOWN_S = 0.001  # A client waits so long until it is told that no node is up.


class Socket:
    """The place at which clients call the node, in each of its lives."""

    def __init__(self, ports: Ports) -> None:
        self.life: Life | None = None
        self._ports = ports

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        life = self.life
        if life is None or not life.serves:
            await self._ports.clock.sleep(_DOWN_S)
            raise NodeDown("the node has no power, or is still starting")
        return await life.call(what, timeout_s=timeout_s)


class OneNodeWorld:
    """A World with one node."""

    def __init__(self, ports: Ports, ledger: Ledger) -> None:
        self.ports = ports
        self.ledger = ledger
        self.socket = Socket(ports)

    @property
    def nodes(self) -> Sequence[Socket]:
        return (self.socket,)

    async def sleep(self, delay_s: float) -> None:
        await self.ports.clock.sleep(delay_s * _PACE)
