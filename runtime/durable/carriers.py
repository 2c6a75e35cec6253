"""What other nodes have and this one may lack: versions of sagas, types of messages.

membership ──NodeRow.carries──▶ Carriers ◀──of── Turn, Loans      who has it, as last read
                                   └──wake──▶ mesh                 have a node look for an actor's mail
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.envelope import Address, address_of
from runtime.protos import mesh_pb2
from runtime.store.records import ClusterView

__all__ = ["Carrier", "Carriers"]

Carrier = tuple[str, str]
"""Name and incarnation of a node that has what another one lacks."""


class Carriers:
    """Which other nodes have what a build may lack, and the way to them. Replaced whole when the members change."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._signal: Callable[[str, mesh_pb2.Signal], bool] = _unheard
        self._by_need: dict[str, list[Carrier]] = {}
        self._members: frozenset[Carrier] = frozenset()

    def connect(self, signal: Callable[[str, mesh_pb2.Signal], bool]) -> None:
        """How to reach a node. Before this is called, no node is reached."""
        self._signal = signal

    def learn(self, view: ClusterView) -> None:
        self._members = frozenset((row.name, row.incarnation) for row in view.nodes)
        self._by_need = {}
        for row in view.nodes:
            for one in row.carries if row.name != self._node else ():
                if _kind_named_in(one) in row.kinds:  # a node that is leaving has no kinds any more
                    self._by_need.setdefault(one, []).append((row.name, row.incarnation))

    def of(self, needs: str) -> Sequence[Carrier]:
        """The other members that have it, as last read."""
        return self._by_need.get(needs, ())

    def is_member(self, carrier: Carrier) -> bool:
        return carrier in self._members

    def wake(self, carrier: Carrier, address: Address, died: str) -> bool:
        """Have a node look for what waits for an actor. False: it cannot be told now.

        `died` is the name@incarnation of a node that may have died over that; empty for none.
        """
        lend = mesh_pb2.Lend(address=address_of(*address), died=died)
        return self._signal(carrier[0], mesh_pb2.Signal(lend=lend))


def _kind_named_in(carried: str) -> str:
    """The KIND of "KIND/VERSION" and of "KIND<TYPE", where TYPE is what a version of it is begun by."""
    return carried.partition("<")[0].partition("/")[0]


def _unheard(node: str, signal: mesh_pb2.Signal) -> bool:
    return False
