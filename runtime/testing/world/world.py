"""What the clients of a workload see of the world that they are in: nodes to call, time, tasks, and the books.

SimCluster, on virtual time, is one; a node on a disk whose power goes is another (`tests.proof.power.series`).
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
    """A node as its clients know it: one name, over many lives."""

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        """Have it do something for a client. Raises NodeDown, and what the node raises."""
        ...


class World(Protocol):
    @property
    def ports(self) -> Ports:
        """Outside of all nodes."""
        ...

    @property
    def nodes(self) -> Sequence[Callee]: ...

    @property
    def ledger(self) -> Ledger:
        """What was committed."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait, in the time of this world."""
        ...
