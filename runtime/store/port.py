"""The store as the runtime sees it. Memory is the executable specification; one conformance suite holds for all.

    TurnStore      commit, settle, load, ...    committer, activations: one transaction, a verdict for each transition
    SweepStore     waiting, due, purge, ...     sweeper, upkeep: mail and timers that nobody pushed
    MemberStore    join, renew, assign, ...     cluster: leases and shards
    OperatorStore  conversation, actors, ...    operators: what happened
    Store          all of them, opened and closed by whoever owns it

Every method may raise StoreUnavailable, StoreBusy, StoreFull, StoreReadOnly or StoreCorrupt; then nothing was written.
Only `commit` may raise CommitUnknown as well. All other writes (membership, purge) can be repeated. So they raise
StoreUnavailable when their outcome is unknown, and whoever must know reads `cluster`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from runtime.errors import StoreError
from runtime.store.another_history import AnotherHistory
from runtime.store.roles.members import MemberStore
from runtime.store.roles.operators import OperatorStore
from runtime.store.roles.sweeps import SweepStore
from runtime.store.roles.turns import TurnStore

__all__ = [
    "ActorStore",
    "ExposedStore",
    "MemberStore",
    "OperatorStore",
    "Store",
    "SweepStore",
    "TurnStore",
    "TurningStore",
]


class ActorStore(TurnStore, SweepStore, Protocol):
    """What the actors of one node need, from finding their mail to committing their turns."""


class Store(ActorStore, MemberStore, OperatorStore, Protocol):
    """All roles, and the life of the store itself."""

    @property
    def cluster_id(self) -> str:
        """Drawn when the store was created; nodes of different stores refuse each other's streams."""
        ...

    @property
    def cluster_secret(self) -> str:
        """Drawn with the id, and told to nobody: nodes prove to each other that they know it. Known once it is open."""
        ...

    async def open(self) -> None:
        """Connect; create the tables or migrate them. Raises StoreTooNew, StoreCorrupt and the like."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class ExposedStore(Protocol):
    """A store that others can damage, replace or move while it is open. It watches for this."""

    async def failed(self) -> StoreError:
        """Wait until the store must not be used any more; the error names what was found, and the cure."""
        ...


@runtime_checkable
class TurningStore(Protocol):
    """A store that can become another history while it is open: a standby is promoted, a backup is restored beneath."""

    async def turned(self) -> AnotherHistory:
        """Wait until the store has become another history, since the last time that this has told so, or was opened.

        Whatever is called after this has returned is answered by the new history. The store stays usable throughout.
        """
        ...
