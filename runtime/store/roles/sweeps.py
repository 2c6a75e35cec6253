"""What sweepers need of a store: mail and timers that nobody pushed, and what is old enough to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.store.lived import Lived
from runtime.store.records import ActorRow, MailRow

__all__ = ["SweepStore"]


class SweepStore(Protocol):
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
