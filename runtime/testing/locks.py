"""The actors of locks beside the saga of a transcript: they say when its turn has come, and what it has lost."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery, Outgoing
from runtime.envelope import Envelope, address_of
from runtime.errors import InvalidMessage
from runtime.protos.durable_pb2 import TimerFired
from runtime.protos.lock_pb2 import AcquireLock, LockRecord, LockReleased, ReleaseLock
from runtime.saga.definition import Definition
from runtime.saga.lock_actor import LockBehaviour, held_until_s
from runtime.saga.node import full_name
from runtime.saga.read_lock import lock_kind

__all__ = ["LocksOfTranscript"]


class LocksOfTranscript:
    """Every key of every lock that one saga asks for. The real behaviour decides."""

    def __init__(self, saga: Definition) -> None:
        self._behaviours = {one.command.kind: LockBehaviour(one.lock) for one in saga.locks}
        self._records: dict[tuple[str, str], LockRecord] = {}
        self.kinds = frozenset(self._behaviours)

    def record(self, name: str, key: str) -> LockRecord:
        """Who holds it and who waits. Raises InvalidMessage for a lock that the saga does not ask for."""
        kind = lock_kind(name)
        if kind not in self.kinds:
            known = ", ".join(sorted(self.kinds)) or "no lock"
            raise InvalidMessage(f"the saga asks for no {kind}; it asks for {known}")
        return self._records.setdefault((kind, key), LockRecord())

    def take(self, name: str, key: str, by: str, id: bytes, now_s: float) -> tuple[Decision, list[Outgoing]]:
        """Another saga asks for it."""
        self.record(name, key)
        asked = Outgoing(AcquireLock(key=key, task="hold"), lock_kind(name), key, id, wants_reply=True)
        return self._decide(asked, by, now_s)

    def free(self, name: str, key: str, by: str, id: bytes, now_s: float) -> tuple[Decision, list[Outgoing]]:
        """That other saga has ended."""
        self.record(name, key)
        return self._decide(Outgoing(ReleaseLock(key=key, task="hold"), lock_kind(name), key, id), by, now_s)

    def expire(self, name: str, key: str) -> tuple[float, Decision, list[Outgoing]]:
        """The time of its holder is over, at the instant that is given. Raises InvalidMessage if that never comes."""
        record = self.record(name, key)
        now_s = held_until_s(record)
        if not now_s:
            holder = f"{record.holders[0].saga} holds it without an end" if record.holders else "nobody holds it"
            raise InvalidMessage(
                f"the time of {lock_kind(name)}/{key} cannot be over: {holder}; declare expires= of each lock that "
                "the saga takes on this key, or have its holder release it by given_unlocked"
            )
        decision, told = self._decide(Outgoing(TimerFired(), lock_kind(name), key), "", now_s)
        return now_s, decision, told

    def ask(self, asked: Outgoing, saga: str, now_s: float) -> list[Message]:
        """What the saga of this address is told at once."""
        told = self._decide(asked, saga, now_s)[1]
        mine = [one for one in told if address_of(one.kind, one.key) == saga]
        replies = [one for one in told if asked.wants_reply and isinstance(one.message, LockReleased)]
        return [one.message for one in (*mine, *replies)]

    def _decide(self, asked: Outgoing, sender: str, now_s: float) -> tuple[Decision, list[Outgoing]]:
        envelope = Envelope(
            id=asked.id,
            kind=asked.kind,
            key=asked.key,
            type=full_name(type(asked.message)),
            body=asked.message.SerializeToString(),
            conversation=b"",
            sender=sender,
            sent_at_s=now_s,
            reply_to=sender if asked.wants_reply else "",
        )
        record = self._records.setdefault((asked.kind, asked.key), LockRecord())
        delivery = Delivery(envelope, asked.message, now_s, 0, 0, lambda *_: b"")
        decision = self._behaviours[asked.kind].decide(record, delivery)
        return decision, list(decision.outgoing)
