"""The world of the clients of one series: they outlive every life of the node, and call whichever there is.

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
_PACE = 0.01  # a second of the clients' waiting takes so many real ones
_DOWN_S = 0.001  # until a client is told that there is nobody


class Socket:
    """Where the node can be called, whatever its life."""

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
