"""The actors of keys beside the saga of a transcript: they say which event reaches it, and which is early or late."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.contracts import field_text
from runtime.durable.behaviour import Decision, Delivery, Outgoing
from runtime.envelope import Envelope
from runtime.errors import InvalidMessage
from runtime.protos.saga_pb2 import (
    AwaitedEvent,
    EventCame,
    HoldKey,
    KeyHeld,
    KeyRecord,
    KeyTaken,
    ReleaseKey,
    StoppedWaiting,
)
from runtime.saga.definition import Definition
from runtime.saga.keys import KeysBehaviour
from runtime.saga.node import full_name

__all__ = ["KeysOfTranscript"]

_TO_SAGA = (EventCame, KeyHeld, KeyTaken, StoppedWaiting)


class KeysOfTranscript:
    """Every key of one saga. The real behaviour decides."""

    def __init__(self, saga: Definition) -> None:
        self._saga = saga
        self._behaviour = KeysBehaviour(saga)
        self._by = {full_name(one.event): one.by for one in saga.awaits}
        self._records: dict[str, KeyRecord] = {}
        self.kind = self._behaviour.kind

    def waits(self) -> list[tuple[str, str]]:
        """The type and the key of each event that is waited for."""
        return [
            (entry.event_type, key)
            for key, record in self._records.items()
            for entry in record.events
            if entry.status == AwaitedEvent.WAITING
        ]

    def holders(self) -> dict[str, str]:
        """By key, kind/key of the instance that holds it."""
        return {key: entry.held_by for key, record in self._records.items() for entry in record.events if entry.held_by}

    def hold(self, name: str, key: str, holder: str, now_s: float) -> None:
        """Another instance asks for a key, under the name that it has in the class. Raises InvalidMessage."""
        held = next((one for one in self._saga.keys if one.name == name), None)
        if held is None:
            known = ", ".join(one.name for one in self._saga.keys)
            raise InvalidMessage(f"the saga has no key {name!r}; it has {known or 'none'}")
        asked = HoldKey(key=key, name=name, event_types=held.events)
        self._decide(asked, key, holder, b"", now_s, wants_reply=True)

    def release(self, name: str, key: str, holder: str, now_s: float) -> None:
        """Another instance gives a key up."""
        self._decide(ReleaseKey(key=key, name=name), key, holder, b"", now_s, wants_reply=False)

    def say(self, event: Message, said_by: str, id: bytes, now_s: float) -> tuple[Decision, list[Message]]:
        """What comes of an event, and what the saga is told of it."""
        name = full_name(type(event))
        if name not in self._by:
            raise InvalidMessage(f"the saga waits for no {name}; it waits for {', '.join(self._by) or 'no event'}")
        return self._decide(event, field_text(event, self._by[name]), said_by, id, now_s, wants_reply=False)

    def ask(self, asked: Outgoing, saga: str, now_s: float) -> list[Message]:
        """What the saga of this address is told when it waits for an event, or stops waiting."""
        return self._decide(asked.message, asked.key, saga, asked.id, now_s, wants_reply=asked.wants_reply)[1]

    def _decide(
        self, message: Message, key: str, sender: str, id: bytes, now_s: float, *, wants_reply: bool
    ) -> tuple[Decision, list[Message]]:
        envelope = Envelope(
            id=id,
            kind=self.kind,
            key=key,
            type=full_name(type(message)),
            body=message.SerializeToString(),
            conversation=b"",
            sender=sender,
            sent_at_s=now_s,
            reply_to=sender if wants_reply else "",
        )
        record = self._records.setdefault(key, KeyRecord())
        decision = self._behaviour.decide(record, Delivery(envelope, message, now_s, 0, 0, lambda *_: b""))
        told = [one.message for one in decision.outgoing if isinstance(one.message, _TO_SAGA)]
        return decision, [one for one in told if one.DESCRIPTOR is EventCame.DESCRIPTOR or wants_reply]
