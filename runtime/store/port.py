"""The store as the runtime sees it. Memory is the executable specification; one conformance suite holds for all.

    committer ──commit──▶ Store        one transaction for many transitions, one verdict each
    activation ──load──▶               rows of actors
    sweeper ──waiting, due──▶          mail and timers that nobody pushed
    cluster ──renew, assign──▶         leases and shards
    admin ──conversation, ...──▶       what happened

Every method may raise StoreUnavailable, StoreBusy, StoreFull, StoreReadOnly or StoreCorrupt; then nothing was written.
Only `commit` may raise CommitUnknown as well. All other writes (membership, purge) can be repeated. So they raise
StoreUnavailable when their outcome is unknown, and whoever must know reads `cluster`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from runtime.envelope import Address
from runtime.errors import StoreError
from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.records import (
    ActorRow,
    Busy,
    ClusterView,
    HistoryRow,
    MailRow,
    NodeRow,
    ShardRow,
    Subscription,
    Transition,
    Verdict,
)
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["ExposedStore", "Store"]


@runtime_checkable
class ExposedStore(Protocol):
    """A store that others can damage, replace or move while it is open. It watches for this."""

    async def failed(self) -> StoreError:
        """Wait until the store must not be used any more; the error names what was found, and the cure."""
        ...


class Store(Protocol):
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

    # --- turns ---

    async def commit(self, batch: Sequence[Transition]) -> list[Verdict]:
        """Write transitions in one transaction, each whole or not at all, in this order; one verdict for each.

        A row of mail that waits already, or whose (conversation, id) is in the history, is passed over. So a message
        that was handled, or that a tombstone refuses, never comes back. With `check_duplicates` such a row makes the
        transition a DUPLICATE instead. A dead letter never runs: a turn that consumes or reschedules one is
        MAIL_MISSING (see `Transition`).

        Raises CommitUnknown when the commit may or may not have happened. After any other error nothing was written.
        A store that waits before it writes may top up a `runtime.store.batch.Batch` then, and gives verdicts for all of
        it.
        """
        ...

    async def settle(self, batch: Sequence[Transition]) -> list[bool]:
        """After CommitUnknown: on a new connection, which of these are in the store (by history, or mail, they wrote).

        A turn is recognised by rows of its history with its own node, revision and instant (one node may have begun the
        same turn twice, and only one of the two can be there); a post by its mail or history. A turn without history
        has only put mail off: it is recognised by its actor's row, as long as no other turn has followed.
        A transition that was found missing can never be written by that attempt any more.
        """
        ...

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]: ...

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        """Rows of history by (conversation, id)."""
        ...

    # --- sweeping ---

    async def waiting(
        self,
        kind: str,
        shards: Sequence[int],
        *,
        due_before_s: float,
        sent_before_s: float,
        limit: int,
        after: MailRow | None = None,
    ) -> list[MailRow]:
        """Mail that is not parked, due and sent at or before the given instants, by (sent_at_s, sequence, id, key).

        `after` is the last row of the page before. It must not be kept for a later look at the mail, since rows may
        become visible out of order.
        """
        ...

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        """All mail of one actor, parked and delayed included, by (sent_at_s, sequence)."""
        ...

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        """One message that waits, parked or delayed included, by its id; None when none does. As cheap as `load`."""
        ...

    async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
        """Actors whose earliest timer is due at or before an instant, earliest first."""
        ...

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        """Forget old conversations, whole: those with no row of history handled since, and no mail or live timer.

        Looks at about `limit` rows, from behind the conversation `after`. Gives how many rows it removed, and the next
        `after`, which is empty at the end.
        """
        ...

    async def lived(self) -> Lived:
        """How much time its nodes have lived through, as last written."""
        ...

    async def put_lived(self, lived: Lived) -> None: ...

    # --- membership ---

    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        """Write the node's row with a lease from now. None on success.

        When a row of that name and another incarnation has an unexpired lease, nothing is written and that row is
        given, unless `replace` is its incarnation.
        """
        ...

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        """Lengthen the lease; False when the row is gone or another incarnation's.

        `clock_off_s` goes into the row, and `lease_s` beside it.
        """
        ...

    async def leave(self, name: str, incarnation: str) -> None:
        """Remove the node's row and give up its shards, whose epochs rise."""
        ...

    async def evict(self, name: str, incarnation: str) -> bool:
        """Remove the row of a node whose lease has expired by the store's clock; give up its shards (epochs rise).

        The evicted owner stands in `died` of its shards, until an owner gives them up in order: by `leave` or `assign`.
        """
        ...

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        """Give a shard to a node (or to nobody, with an empty owner) if its epoch is still this one, which then rises.

        A shard without a row has epoch 0.
        """
        ...

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        """`assign` for many shards in one transaction, each on its own; one answer for each.

        A row's `owner` is the new one, its `epoch` the expected one. So a node that takes over dozens of shards pays
        for one commit.
        """
        ...

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        """Make these the subscriptions of a kind, in place of those it had."""
        ...

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        """Keep these. What is kept of a version already stays as it is."""
        ...

    async def cluster(self) -> ClusterView: ...

    def tell_busy(self, busy: Busy) -> None:
        """Keep what this node is busy with, in place of what it told before. Without handlers and pauses, forget that.

        Any thread may call it, also while the event loop stands still. It returns at once, never raises, and may come
        to nothing. The store keeps what an evicted node has told, and forgets it when a node leaves. A node that has
        left tells nothing more. What has not counted for a day (`BUSY_KEPT_S`) goes when another node tells.
        """
        ...

    # --- operators ---

    async def now_s(self) -> float:
        """The store's clock."""
        ...

    async def busy(self) -> list[Busy]:
        """What nodes have told that they are busy with, whether or not it still counts, by node and incarnation."""
        ...

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        """The history of a conversation, by handled_at_s."""
        ...

    async def handled_of(self, kind: str, type: str, *, limit: int, after: tuple[bytes, bytes]) -> list[HistoryRow]:
        """What actors of a kind handled of one type, by (conversation, id), from behind this pair on. Reads it all."""
        ...

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]: ...

    async def dead_letters(self, *, limit: int, after: bytes = b"") -> list[MailRow]:
        """Parked mail, by id."""
        ...

    async def actors_with_key(self, key: str) -> list[ActorRow]:
        """Actors of every kind that have this key."""
        ...

    async def mail_with_key(self, key: str) -> list[tuple[str, int]]:
        """Kind and shard of every actor with this key that mail waits for, parked and delayed included."""
        ...

    async def actors(self, kind: str, *, limit: int, after: str = "") -> list[ActorRow]:
        """Actors of a kind, by key."""
        ...

    async def timed(self, wanted: TimedFilter, *, limit: int, after: TimedPlace | None = None) -> list[ActorRow]:
        """Actors with a timer that fit, the next due first, then by kind and key, from behind the place `after` on."""
        ...

    async def summaries(
        self,
        wanted: SummaryFilter,
        *,
        limit: int,
        order: SummaryOrder = SummaryOrder.PROGRESS,
        after: SummaryPlace | None = None,
    ) -> list[SummaryRow]:
        """Actors that tell of themselves and fit, in this order, from behind the place `after` on. Reads no state."""
        ...

    async def definitions(self) -> list[DefinitionRow]:
        """Of every version that was ever told, by kind, instant and version."""
        ...

    async def version_counts(self, statuses: Sequence[str] = ()) -> list[tuple[str, str, str, int]]:
        """Kind, version, status (all, or one of these), and how many actors tell so; by kind, version and status."""
        ...

    async def summary_counts(self) -> list[tuple[str, str, int]]:
        """Kind, status, and how many actors of that kind tell that status; by kind and status."""
        ...
