"""What one turn of an actor, and a client's post, need of a store: to look, to commit, to learn what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.envelope import Address
from runtime.store.groups import Unit
from runtime.store.records import ActorRow, HistoryRow, MailRow, Verdict

__all__ = ["TurnStore"]


class TurnStore(Protocol):
    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        """Write transitions in one transaction, each whole or not at all, in this order; one verdict for each.

        A group is written as one: all of its members or none, and it has one verdict. If its command waits as mail, the
        group is a DUPLICATE; if that was handled, the history of the first member refuses it, as any other.

        A row of mail that waits already, or whose (conversation, id) is in the history, is passed over. So a message
        that was handled, or that a tombstone refuses, never comes back. With `check_duplicates` such a row makes the
        transition a DUPLICATE instead. A dead letter never runs: a turn that consumes or reschedules one is
        MAIL_MISSING (see `Transition`).

        Raises CommitUnknown when the commit may or may not have happened. After any other error nothing was written.
        A store that waits before it writes may top up a `runtime.store.batch.Batch` then, and gives verdicts for all of
        it.
        """
        ...

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        """After CommitUnknown: on a new connection, which of these are in the store (by history, or mail, they wrote).

        A turn is recognised by rows of its history with its own node, revision and instant (one node may have begun the
        same turn twice, and only one of the two can be there); a post by its mail or history. A turn without history
        has only put mail off: it is recognised by its actor's row, as long as no other turn has followed.
        A group is there if all of its members are. What was found missing can never be written by that attempt any
        more.
        """
        ...

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]: ...

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        """Rows of history by (conversation, id)."""
        ...

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        """All mail of one actor, parked and delayed included, by (sent_at_s, sequence)."""
        ...

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        """One message that waits, parked or delayed included, by its id; None when none does. As cheap as `load`."""
        ...

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        """The history of a conversation, by handled_at_s."""
        ...

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]: ...
