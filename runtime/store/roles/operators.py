"""What operators need of a store: to find actors and mail, and to read what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.envelope import Address
from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.definitions import DefinitionRow
from runtime.store.parked import ParkedPlace
from runtime.store.proofs import ProofPlace, ProofRow
from runtime.store.records import ActorRow, Busy, HistoryRow, MailRow
from runtime.store.roles.turns import TurnStore
from runtime.store.roles.view import ViewStore
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.store.tallies import Tallies
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["OperatorStore"]


class OperatorStore(TurnStore, ViewStore, Protocol):
    async def busy(self) -> list[Busy]:
        """What nodes have told that they are busy with, whether or not it still counts, by node and incarnation."""
        ...

    async def handled_in(
        self,
        conversation: bytes,
        wanted: HandledFilter,
        *,
        limit: int,
        after: HandledPlace | None = None,
        newest_first: bool = False,
    ) -> list[HistoryRow]:
        """What was handled in a conversation and fits, by (handled_at_s, id), from behind the place `after` on.

        With `newest_first` the other way round.
        """
        ...

    async def mail_in(self, conversation: bytes, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        """Mail of a conversation, parked and delayed included, by (sent_at_s, sequence, id, kind, key, shard)."""
        ...

    async def conversation_size(self, conversation: bytes) -> ConversationSize:
        """How many messages of a conversation were handled, wait, and are dead letters. Reads no message."""
        ...

    async def handled_of(
        self, wanted: Sequence[tuple[str, str]], *, limit: int, after: tuple[bytes, bytes]
    ) -> list[HistoryRow]:
        """What was handled of these pairs of kind and type, by (conversation, id), from behind this pair on.

        Reads all history from there on until the page is full.
        """
        ...

    async def dead_letters(self, *, limit: int, after: ParkedPlace | None = None) -> list[MailRow]:
        """Parked mail, by id, then by kind, key and shard, from behind the place `after` on."""
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

    async def forget_record(self, row: ActorRow) -> None:
        """Remove this row, if it is still there as it was read.

        For records of operators, of kinds that no node hosts: they have no mail and no timers.
        """
        ...

    async def every_actor(self, *, limit: int, after: Address = ("", "")) -> list[ActorRow]:
        """Actors of all kinds, by (kind, key), from behind this address on."""
        ...

    async def every_mail(self, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        """All mail, parked and delayed included, by (kind, shard, key, id), from behind this row on."""
        ...

    async def every_handled(self, *, limit: int, after: tuple[bytes, bytes] = (b"", b"")) -> list[HistoryRow]:
        """All history, by (conversation, id), from behind this pair on."""
        ...

    async def definitions(self) -> list[DefinitionRow]:
        """Of every version that was ever told, by kind, instant and version."""
        ...

    async def keep_proofs(self, proofs: Sequence[ProofRow]) -> None:
        """Keep these. One that is kept already, by its key, stays as it is.

        Of each (kind, version, result) only the `PROOFS_KEPT_MAX` newest stay, by (made_at_s, id).
        """
        ...

    async def proofs(self, *, limit: int, after: ProofPlace | None = None, version: str = "") -> list[ProofRow]:
        """All of them, or those of one version, by (kind, version, made_at_s, id), from behind the place `after` on."""
        ...

    async def version_counts(self, statuses: Sequence[str] = ()) -> list[tuple[str, str, str, int]]:
        """Kind, version, status (all, or one of these), and how many actors tell so; by kind, version and status."""
        ...

    async def tallies(self, *, uncounted: Sequence[str], actors_max: int, mail_max: int) -> Tallies:
        """What is counted for whoever watches the store, all of it at one instant. Reads no state and no message.

        Groups of actors, those of a kind with a late timer, and dead letters of a kind are counted up to `actors_max`;
        actors of a status among `uncounted` not at all. Of the mail that waits for a kind, the first `mail_max` rows by
        (shard, key, id) are looked at, dead letters among them.
        """
        ...

    async def summary_counts(self) -> list[tuple[str, str, int]]:
        """Kind, status, and how many actors of that kind tell that status; by kind and status."""
        ...
