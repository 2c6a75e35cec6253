"""The store in memory: the executable specification that every other store is compared with.

    commit ──▶ _verdict    judges one transition against what is there
           ──▶ _apply      writes it, only after the verdict COMMITTED

It keeps rows as they are given (they are frozen), so that what it hands out can't be changed from outside. Nodes of
one process share one object; closing it keeps its rows, as closing a file does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from runtime.envelope import Address
from runtime.ports import Ports
from runtime.store.groups import TransitionGroup, Unit, transitions_of
from runtime.store.memory_operators import MemoryOperators
from runtime.store.records import ActorRow, HistoryRow, MailRow, Transition, Verdict
from runtime.store.timer_conversations import live_conversations

__all__ = ["MemoryStore"]


_JUDGED = (Verdict.CONFLICT, Verdict.MAIL_MISSING, Verdict.DUPLICATE)  # Of a group, whatever comes first here.


class MemoryStore(MemoryOperators):
    """All of `Store` in dictionaries. Nothing ever suspends, so each method is atomic on its event loop."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports.clock)
        self._cluster_id = ports.ids.new_id().hex()
        self._cluster_secret = (ports.ids.new_id() + ports.ids.new_id()).hex()

    @property
    def cluster_id(self) -> str:
        return self._cluster_id

    @property
    def cluster_secret(self) -> str:
        return self._cluster_secret

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Keeps the rows: the store lives as long as the object."""

    # --- turns ---

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        verdicts = []
        for unit in batch:
            members = transitions_of([unit])  # No two of a group touch the same rows.
            refused = [verdict for one in members if (verdict := self._verdict(one)) is not Verdict.COMMITTED]
            commands = unit.commands if isinstance(unit, TransitionGroup) else ()
            if any((command.conversation, command.id) in self._posted for command in commands):
                refused.append(Verdict.DUPLICATE)
            if not refused:
                for transition in members:
                    self._apply(transition)
            verdict = min(refused, key=_JUDGED.index) if refused else Verdict.COMMITTED
            verdicts.append(verdict)
        return verdicts

    def _verdict(self, transition: Transition) -> Verdict:
        if transition.actor is not None and transition.expected is not None:
            row = self._actors.get(transition.actor.address)
            found = (0, b"") if row is None else (row.revision, row.last_id)
            if found != (transition.expected.revision, transition.expected.last_id):
                return Verdict.CONFLICT
        waiting, key = self._mail.get(transition.slice, {}), transition.key
        rescheduled = [row.id for row in transition.rescheduled]
        needed = [*transition.consumed, *transition.given_up, *rescheduled]
        if len(set(needed)) < len(needed) or any((key, id) not in waiting for id in needed):
            return Verdict.MAIL_MISSING
        to_run = transition.consumed if transition.actor is None else (*transition.consumed, *rescheduled)
        if any(waiting[key, id].parked for id in to_run):
            return Verdict.MAIL_MISSING
        written = [(row.conversation, row.id) for row in transition.history]
        if len(set(written)) < len(written) or any(self._is_handled(*key) for key in written):
            return Verdict.MAIL_MISSING
        mail = transition.mail
        if transition.check_duplicates and (_is_for_two(mail) or any(self._is_known(row) for row in mail)):
            return Verdict.DUPLICATE
        return Verdict.COMMITTED

    def _apply(self, transition: Transition) -> None:
        waiting, key = self._mail.setdefault(transition.slice, {}), transition.key
        for id in (*transition.consumed, *transition.given_up):
            gone = waiting.pop((key, id))
            if not gone.sequence:
                self._posted.pop((gone.conversation, gone.id), None)
        for row in transition.rescheduled:
            waiting[key, row.id] = replace(
                waiting[key, row.id],
                due_at_s=row.due_at_s,
                attempts=row.attempts,
                parked=row.parked,
                parked_at_s=row.parked_at_s,
            )
        for done in transition.history:
            self._history.setdefault(done.conversation, {})[done.id] = done
        if transition.actor is not None:
            self._actors[transition.actor.address] = transition.actor
        for row in transition.mail:
            # Mail that waits is not written twice. Mail that was handled, or has a tombstone, never comes back.
            if not self._is_known(row):
                self._mail.setdefault((row.kind, row.shard), {})[row.key, row.id] = row
                if not row.sequence:
                    self._posted[row.conversation, row.id] = None

    def _is_handled(self, conversation: bytes, id: bytes) -> bool:
        return id in self._history.get(conversation, {})

    def _is_known(self, row: MailRow) -> bool:
        posted = not row.sequence and (row.conversation, row.id) in self._posted
        return posted or self._is_there_or_handled(row)

    def _is_there_or_handled(self, row: MailRow) -> bool:
        waits = (row.key, row.id) in self._mail.get((row.kind, row.shard), {})
        return waits or self._is_handled(row.conversation, row.id)

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        return [all(self._is_there(one) for one in transitions_of([unit])) for unit in batch]

    def _is_there(self, transition: Transition) -> bool:
        if transition.history:
            return all(self._is_written(row) for row in transition.history)
        if transition.mail:
            return all(self._is_there_or_handled(row) for row in transition.mail)
        if transition.actor is not None:
            return self._actors.get(transition.actor.address) == transition.actor
        waiting = self._mail.get(transition.slice, {})
        if any((transition.key, id) in waiting for id in (*transition.consumed, *transition.given_up)):
            return False
        return all(_is_rescheduled(waiting.get((transition.key, row.id)), row) for row in transition.rescheduled)

    def _is_written(self, row: HistoryRow) -> bool:
        found = self._history.get(row.conversation, {}).get(row.id)
        return found is not None and _attempt(found) == _attempt(row)

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        return [self._actors.get(address) for address in addresses]

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        return [self._history.get(conversation, {}).get(id) for conversation, id in keys]

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
        rows = itertools.chain.from_iterable(
            self._mail.get((kind, shard), {}).values() for shard in dict.fromkeys(shards)
        )
        found = (r for r in rows if not r.parked and r.due_at_s <= due_before_s and r.sent_at_s <= sent_before_s)
        return _oldest((r for r in found if after is None or _age(r) > _age(after)), limit)

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        kind, key = address
        return _oldest((row for row in self._mail.get((kind, shard), {}).values() if row.key == key), limit)

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        kind, key = address
        return self._mail.get((kind, shard), {}).get((key, id))

    async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
        rows = [
            (row.due_at_s, row.key, row)
            for row in self._actors.values()
            if row.due_at_s is not None and row.due_at_s <= before_s and row.kind == kind and row.shard in shards
        ]
        return [row for _, _, row in sorted(rows, key=lambda entry: entry[:2])[:limit]]

    @property
    def conversations(self) -> frozenset[bytes]:
        """The conversations of which anything is remembered."""
        return frozenset(self._history)

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        live = {row.conversation for row in self._all_mail()}
        live |= {conversation for row in self._actors.values() for conversation in live_conversations(row)}
        looked_at = gone = 0
        for conversation in sorted(id for id in self._history if id > after):
            if looked_at >= limit:
                return gone, after
            rows = self._history[conversation]
            looked_at += len(rows)
            after = conversation
            if conversation not in live and all(row.handled_at_s < handled_before_s for row in rows.values()):
                gone += len(self._history.pop(conversation))
        return gone, b""

    # --- conversations ---

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        rows = self._history.get(conversation, {}).values()
        return sorted(rows, key=lambda row: (row.handled_at_s, row.id))

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]:
        rows = [row for row in self._all_mail() if row.conversation == conversation]
        return _oldest(rows, len(rows))


def _is_for_two(mail: Sequence[MailRow]) -> bool:
    """Whether one id of a client is given to two actors."""
    places = {(row.conversation, row.id, row.address, row.shard) for row in mail if not row.sequence}
    return len({place[:2] for place in places}) < len(places)


def _oldest(rows: Iterable[MailRow], limit: int) -> list[MailRow]:
    """The first rows by (sent_at_s, sequence). Id and kind settle ties of senders, so that a replay sees one order."""
    return sorted(rows, key=_age)[:limit]


def _age(row: MailRow) -> tuple[float, int, bytes, str, str, int]:
    return row.sent_at_s, row.sequence, row.id, row.kind, row.key, row.shard


def _attempt(row: HistoryRow) -> tuple[str, int, float]:
    """What tells one attempt at a turn from every other."""
    return row.node, row.revision, row.handled_at_s


def _is_rescheduled(found: MailRow | None, wanted: MailRow) -> bool:
    if found is None:
        return False
    return (found.due_at_s, found.attempts, found.parked) == (wanted.due_at_s, wanted.attempts, wanted.parked)
