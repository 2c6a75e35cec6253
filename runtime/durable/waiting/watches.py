"""Who wants to know of an actor's committed changes: callers on this node, and other nodes on behalf of theirs.

Best effort, and worth nothing after a crash: whoever watches also reads the store now and then.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.protos import mesh_pb2
from runtime.store.records import ActorRow

__all__ = ["Changed", "StateWatches"]

Changed = Callable[[int, str, bytes], None]
"""Called with (revision, state type, state) after each commit; without a type when the state is to be read.

A revision of 0, without a type, says that there may have been a commit of any revision.
"""

_WATCHED_MAX = 100_000  # actors watched by other nodes; more are declined, and their watchers read the store


class StateWatches:
    """The watchers of one node."""

    def __init__(self, signal: Callable[[str, mesh_pb2.Signal], bool]) -> None:
        self._signal = signal
        self._local: dict[str, list[Changed]] = {}
        self._remote: dict[str, dict[str, None]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._local and not self._remote

    def add(self, address: str, changed: Changed) -> None:
        self._local.setdefault(address, []).append(changed)

    def remove(self, address: str, changed: Changed) -> bool:
        """True if nobody on this node watches it any more."""
        watchers = self._local.get(address, [])
        if changed in watchers:
            watchers.remove(changed)
        if watchers:
            return False
        self._local.pop(address, None)
        return True

    def on_watch(self, watch: mesh_pb2.Watch) -> None:
        """Another node begins or ends watching an actor of ours."""
        if watch.stop:
            nodes = self._remote.get(watch.address)
            if nodes is not None:
                nodes.pop(watch.node, None)
                if not nodes:
                    del self._remote[watch.address]
        elif len(self._remote) < _WATCHED_MAX:
            self._remote.setdefault(watch.address, {})[watch.node] = None
            if watch.confirm:
                self._tell_to_look(watch.node, watch.address)

    def tell_to_look(self, node: str) -> None:
        """What was told to a node may be lost: have its watchers read what they watch."""
        for address in [address for address, nodes in self._remote.items() if node in nodes]:
            self._tell_to_look(node, address)

    def _tell_to_look(self, node: str, address: str) -> None:
        self._signal(node, mesh_pb2.Signal(look=mesh_pb2.Look(address=address)))

    def forget(self, node: str) -> None:
        """A node is gone, and its watchers with it."""
        for address in [address for address, nodes in self._remote.items() if node in nodes]:
            self.on_watch(mesh_pb2.Watch(address=address, node=node, stop=True))

    def release(self, is_released: Callable[[str], bool]) -> None:
        """The last turns of actors have ended here; who watches them has told their new owner, or will."""
        for address in [address for address in self._remote if is_released(address)]:
            del self._remote[address]

    def committed(self, address: str, row: ActorRow) -> None:
        """Tell everybody of a commit that happened here."""
        self._tell_local(address, row.revision, row.state_type, row.state)
        for node in self._remote.get(address, ()):
            changed = mesh_pb2.Changed(
                address=address, revision=row.revision, state_type=row.state_type, state=row.state
            )
            self._signal(node, mesh_pb2.Signal(changed=changed))

    def on_changed(self, changed: mesh_pb2.Changed) -> None:
        """Another node tells of a commit that happened there."""
        self._tell_local(changed.address, changed.revision, changed.state_type, changed.state)

    def on_look(self, look: mesh_pb2.Look) -> None:
        """As `on_changed`, of a state that was too large to be sent, or of commits that perhaps nobody was told of."""
        self._tell_local(look.address, look.revision, "", b"")

    def _tell_local(self, address: str, revision: int, state_type: str, state: bytes) -> None:
        for tell in list(self._local.get(address, ())):
            tell(revision, state_type, state)
