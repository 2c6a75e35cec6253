"""What the clients of a workload see of their world: nodes to call, time, tasks, and the ledger.

SimCluster is such a world, on virtual time. Another is a node on a disk that loses power (`tests.proof.power.series`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from runtime.host import Node
from runtime.ports import Ports
from runtime.testing.rules.ledger import Ledger

__all__ = ["Callee", "World"]

_T = TypeVar("_T")


class Callee(Protocol):
    """A node as its clients know it: one name with many lives."""

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        """Has the node do something for a client. Raises NodeDown, and what the node raises."""
        ...


class World(Protocol):
    @property
    def ports(self) -> Ports:
        """The ports outside of all nodes."""
        ...

    @property
    def nodes(self) -> Sequence[Callee]: ...

    @property
    def ledger(self) -> Ledger:
        """The record of all that was committed."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Waits in the time of this world."""
        ...
