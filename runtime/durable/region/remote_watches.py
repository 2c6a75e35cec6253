"""Who is asked to tell of actors that callers on this node watch: their owners, also when an actor moves.

    Router ──begin, end, on_view, on_peer_reached──▶ RemoteWatches ──Watch──▶ the owner's StateWatches
    StateWatches ◀── Look ── the owner, when it has the watch     what was committed before is read from the store

A new owner does not know who watches, and may commit before it is told. A signal is lost while there is no stream. So
a watch that is asked for again is confirmed, and whoever watches then looks into the store once.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.durable.waiting.watches import StateWatches
from runtime.envelope import parse_address
from runtime.protos import mesh_pb2
from runtime.store.records import ClusterView

__all__ = ["RemoteWatches"]

_Place = tuple[str, str, int]
"""The owner of a shard, its incarnation, and the epoch of the shard. An owner that is not the same has no watches."""

_NOWHERE: _Place = ("", "", 0)


class RemoteWatches:
    """Of one node. `shard_of` gives the shard of a key."""

    def __init__(
        self,
        node: str,
        watches: StateWatches,
        signal: Callable[[str, mesh_pb2.Signal], bool],
        shard_of: Callable[[str], int],
    ) -> None:
        self._node = node
        self._watches = watches
        self._signal = signal
        self._shard_of = shard_of
        self._places: dict[tuple[str, int], _Place] = {}
        self._asked: dict[str, _Place] = {}  # by address, of all that callers on this node watch

    def begin(self, address: str) -> None:
        """Somebody here has begun to watch an actor, and has not looked into the store yet."""
        place = self._asked[address] = self._place_of(address)
        self._ask(place[0], address)

    def end(self, address: str) -> None:
        """Nobody here watches an actor any more."""
        owner, _, _ = self._asked.pop(address, _NOWHERE)
        self._ask(owner, address, stop=True)

    def on_view(self, view: ClusterView) -> None:
        """Ask the new owners of what has moved, and have the former ones forget it."""
        lives = {node.name: node.incarnation for node in view.nodes}
        places = {(row.kind, row.shard): (row.owner, lives.get(row.owner, ""), row.epoch) for row in view.shards}
        if places == self._places:
            return
        self._places = places
        for address, before in list(self._asked.items()):
            place = self._place_of(address)
            if place != before:
                self._asked[address] = place
                self._move(address, before[0], place[0])

    def on_peer_reached(self, peer: str) -> None:
        """There is a stream to a node again: what was signalled to it meanwhile is lost."""
        for address, (owner, _, _) in self._asked.items():
            if owner == peer:
                self._ask_again(address, owner)
        self._watches.tell_to_look(peer)

    def _move(self, address: str, former: str, owner: str) -> None:
        if former != owner:
            self._ask(former, address, stop=True)
        if owner == self._node:
            self._watches.on_look(mesh_pb2.Look(address=address))  # The former owner may have told nobody.
        else:
            self._ask_again(address, owner)

    def _ask_again(self, address: str, owner: str) -> None:
        self._ask(owner, address, confirm=True)

    def _ask(self, owner: str, address: str, *, stop: bool = False, confirm: bool = False) -> None:
        if owner and owner != self._node:
            watch = mesh_pb2.Watch(address=address, node=self._node, stop=stop, confirm=confirm)
            self._signal(owner, mesh_pb2.Signal(watch=watch))

    def _place_of(self, address: str) -> _Place:
        kind, key = parse_address(address)
        return self._places.get((kind, self._shard_of(key)), _NOWHERE)
