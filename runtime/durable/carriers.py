"""What other nodes have and this one may lack: versions of sagas, types of messages.

membership ──NodeRow.carries──▶ Carriers ◀──of── Turn, Loans      who has it, as last read
                                   └──wake──▶ mesh                 have a node look for an actor's mail
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from runtime.durable.behaviour import Behaviour, Versioned
from runtime.envelope import Address, address_of
from runtime.protos import mesh_pb2
from runtime.store.records import ClusterView

__all__ = ["Carriers", "Host", "carried"]

Host = tuple[str, str]
"""Name and incarnation of a node."""


def carried(behaviours: Iterable[Behaviour]) -> tuple[str, ...]:
    """What a node that hosts these says of itself, as NodeRow.carries has it."""
    found: list[str] = []
    for one in behaviours:
        found += one.carries if isinstance(one, Versioned) else [f"{one.kind}<{type_}" for type_ in sorted(one.accepts)]
    return tuple(found)


class Carriers:
    """Which other nodes have what a build may lack, and the way to them. Replaced whole when the members change."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._signal: Callable[[str, mesh_pb2.Signal], bool] = _unheard
        self._hosts: dict[str, list[Host]] = {}
        self._members: frozenset[Host] = frozenset()

    def connect(self, signal: Callable[[str, mesh_pb2.Signal], bool]) -> None:
        """How to reach a node; before it, nobody is."""
        self._signal = signal

    def learn(self, view: ClusterView) -> None:
        self._members = frozenset((row.name, row.incarnation) for row in view.nodes)
        self._hosts = {}
        for row in view.nodes:
            for one in row.carries if row.name != self._node else ():
                if _kind_of(one) in row.kinds:  # one that leaves hosts nothing any more
                    self._hosts.setdefault(one, []).append((row.name, row.incarnation))

    def of(self, needs: str) -> Sequence[Host]:
        """The other members that have it, as last read."""
        return self._hosts.get(needs, ())

    def is_member(self, host: Host) -> bool:
        return host in self._members

    def wake(self, host: Host, address: Address, died: str) -> bool:
        """Have a node look for what waits for an actor. False: it cannot be told now."""
        lend = mesh_pb2.Lend(address=address_of(*address), died=died)
        return self._signal(host[0], mesh_pb2.Signal(lend=lend))


def _kind_of(carried: str) -> str:
    """Of KIND/VERSION, or of KIND<TYPE, a type that a version of it is begun by."""
    return carried.partition("<")[0].partition("/")[0]


def _unheard(node: str, signal: mesh_pb2.Signal) -> bool:
    return False
