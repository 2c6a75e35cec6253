"""A message on its way to one actor, and the bytes it travels and is stored as.

An envelope is encoded once, when a store or a peer is to have it; both carry those bytes unchanged. One that never
leaves its chain of turns is not encoded at all.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import field
from functools import lru_cache

from google.protobuf.message import DecodeError, Message

from runtime.durations import shown
from runtime.errors import InvalidMessage, MessageTooLarge
from runtime.protos import durable_pb2, mesh_pb2
from runtime.record import record

__all__ = [
    "KEY_BYTES_MAX",
    "Address",
    "Envelope",
    "address_of",
    "body_of",
    "check_key",
    "check_size",
    "content_of",
    "decode",
    "id_head",
    "is_instant",
    "message_id",
    "parse_address",
    "shard_of",
    "timer_id",
    "wrong_kind",
]

_END_S = 2.0**48 / 1000  # Ids have 48 bits for the milliseconds since 1970.

KEY_BYTES_MAX = 256
"""The longest key of an actor, in bytes of UTF-8."""

_SHORT = KEY_BYTES_MAX // 4  # So many characters are never too many bytes.

Address = tuple[str, str]
"""(kind, key) of an actor; written `kind/key`, e.g. `flights/LX1`. A kind holds no slash, a key may."""


@record(frozen=True, slots=True)
class Envelope:
    """One message for one actor. Field for field `amends.Envelope`, with its bytes beside it; see mesh.proto."""

    id: bytes
    kind: str
    key: str
    type: str
    body: bytes
    conversation: bytes
    cause: bytes = b""
    sender: str = ""
    sequence: int = 0
    sent_at_s: float = 0.0
    due_at_s: float = 0.0
    reply_to: str = ""
    in_reply_to: bytes = b""
    undo_of: bytes = b""
    refusals: tuple[str, ...] = ()
    process: str = ""
    answer_to: str = ""
    timer: str = ""
    traceparent: str = ""
    earlier_undos: tuple[bytes, ...] = ()
    dones: tuple[str, ...] = ()
    undones: tuple[str, ...] = ()
    begun: bool = False
    _encoded: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def address(self) -> Address:
        return self.kind, self.key

    @property
    def encoded(self) -> bytes:
        """Those from which the envelope was read; otherwise they are made from the fields, once they are asked for."""
        if not self._encoded:
            object.__setattr__(self, "_encoded", _bytes_of(self))
        return self._encoded


def _bytes_of(one: Envelope) -> bytes:
    wire = mesh_pb2.Envelope(
        id=one.id,
        kind=one.kind,
        key=one.key,
        type=one.type,
        body=one.body,
        conversation=one.conversation,
        cause=one.cause,
        sender=one.sender,
        sequence=one.sequence,
        sent_at_s=one.sent_at_s,
        process=one.process,
    )
    # Fields that most messages lack are set only where they are there: an empty field costs as much as a full one.
    if one.due_at_s:
        wire.due_at_s = one.due_at_s
    if one.reply_to:
        wire.reply_to = one.reply_to
    if one.in_reply_to:
        wire.in_reply_to = one.in_reply_to
    if one.undo_of:
        wire.undo_of = one.undo_of
    if one.answer_to:
        wire.answer_to = one.answer_to
    if one.timer:
        wire.timer = one.timer
    if one.traceparent:
        wire.traceparent = one.traceparent
    # Of undos. Even empty lists cost a lot.
    if one.refusals or one.earlier_undos or one.dones or one.undones or one.begun:
        wire.refusals.extend(one.refusals)
        wire.earlier_undos.extend(one.earlier_undos)
        wire.dones.extend(one.dones)
        wire.undones.extend(one.undones)
        wire.begun = one.begun
    return wire.SerializeToString()


def decode(encoded: bytes) -> Envelope:
    """Read an envelope. Raises InvalidMessage if the bytes are none, or if it lacks an id, a destination or a time."""
    try:
        wire = mesh_pb2.Envelope.FromString(encoded)
    except DecodeError as error:
        raise InvalidMessage(f"{len(encoded)} bytes are no envelope") from error
    if len(wire.id) != 16 or not wire.kind or not wire.type:
        raise InvalidMessage(
            f"an envelope needs an id of 16 bytes, a kind and a type; this one has id={wire.id.hex() or 'none'}, "
            f"kind={wire.kind!r}, type={wire.type!r}"
        )
    if not (0.0 <= wire.sent_at_s < _END_S and 0.0 <= wire.due_at_s < _END_S):
        raise InvalidMessage(f"an envelope needs a real instant: sent at {wire.sent_at_s}, due at {wire.due_at_s}")
    # The four lists are nearly always empty: to ask costs a third of making a tuple.
    envelope = Envelope(
        wire.id,
        wire.kind,
        wire.key,
        wire.type,
        wire.body,
        wire.conversation,
        wire.cause,
        wire.sender,
        wire.sequence,
        wire.sent_at_s,
        wire.due_at_s,
        wire.reply_to,
        wire.in_reply_to,
        wire.undo_of,
        tuple(wire.refusals) if wire.refusals else (),
        wire.process,
        wire.answer_to,
        wire.timer,
        wire.traceparent,
        tuple(wire.earlier_undos) if wire.earlier_undos else (),
        tuple(wire.dones) if wire.dones else (),
        tuple(wire.undones) if wire.undones else (),
        wire.begun,
    )
    object.__setattr__(envelope, "_encoded", encoded)
    return envelope


def is_instant(at_s: float) -> bool:
    """Whether this is a time since 1970 that messages and timers can have: no NaN, not negative, not for ever."""
    return 0.0 <= at_s < _END_S


def check_size(name: str, body: bytes, bytes_max: int) -> None:
    """Refuse a body over the limit before it is stored. Raises MessageTooLarge."""
    if len(body) > bytes_max:
        raise MessageTooLarge(
            f"{name} has {len(body):,} bytes; the limit is {bytes_max:,} (setting message_bytes_max). "
            "Send a reference to large data, not the data"
        )


def check_key(key: str, *name: str) -> str:
    """The key, if an actor may be named so. Raises InvalidMessage with the reason.

    `name` says which key it is; of several parts it is written with dots. Only what is about to be sent is checked: a
    key that lies in the store already is read as it is.
    """
    if key and len(key) <= _SHORT and key.isprintable():
        return key
    return _looked_at(key, ".".join(name) or "a key")


def _looked_at(key: str, name: str) -> str:
    if not key:
        raise InvalidMessage(f"{name} must not be empty")
    if not key.isprintable():
        for place, char in enumerate(key):
            if unicodedata.category(char) in ("Cc", "Cs"):
                what = "a control character" if unicodedata.category(char) == "Cc" else "half a character"
                raise InvalidMessage(f"{name} holds {what} (U+{ord(char):04X}) at {place}; take text without it")
    size = len(key.encode()) if len(key) * 4 > KEY_BYTES_MAX else 0
    if size > KEY_BYTES_MAX:
        raise InvalidMessage(f"{name} must be at most {KEY_BYTES_MAX} bytes of UTF-8; it has {size}")
    return key


def wrong_kind(kind: object) -> str:
    """What is wrong with a name for a kind of actors, or for a process; empty if it can be used."""
    if not isinstance(kind, str) or not kind or "/" in kind:
        return f"a kind without a slash, in text; it has {shown(kind)}"
    try:
        check_key(kind, "it")
    except InvalidMessage as error:
        return f"a kind that can be written: {error}"
    return f"a kind without a blank around it; it has {kind!r}" if kind != kind.strip() else ""


def message_id(sent_at_s: float, cause: bytes, position: int, destination: str, content: bytes = b"") -> bytes:
    """16 bytes: the ms at which the cause was sent (48 bits, big-endian), then a hash of all the rest.

    A handler that runs again on the same message and decides the same makes the same ids, so that copies die at the
    store. If it decides otherwise, since the store has lost what it decided before, nobody takes one for the other.
    """
    made_of = b"%b|%d|%b|" % (cause, position, destination.encode()) + content
    return id_head(sent_at_s) + hashlib.blake2b(made_of, digest_size=10).digest()


@lru_cache(maxsize=256)
def id_head(sent_at_s: float) -> bytes:
    """With which 6 bytes the ids begin of all messages whose cause was sent at this instant."""
    return int(sent_at_s * 1000).to_bytes(6, "big")


def timer_id(address: Address, timer: durable_pb2.Timer) -> bytes:
    """The id of the message that a timer's firing is; the same on every node that finds it due."""
    destination = f"{address_of(*address)}#{timer.name}"
    return message_id(timer.due_at_s, timer.set_by, int(timer.due_at_s * 1000), destination)


def content_of(type: str, body: bytes, undo_of: bytes = b"") -> bytes:
    """What a message says: the part of it from which its id is made."""
    return b"%b|%b" % (type.encode(), body) + undo_of


def body_of(message: Message) -> bytes:
    """Its bytes, the same in every process: maps are written in the order of their keys."""
    return message.SerializeToString(deterministic=True)


def address_of(kind: str, key: str) -> str:
    return f"{kind}/{key}"


def parse_address(text: str) -> Address:
    """`kind/key` as a pair. Raises InvalidMessage when there is no slash."""
    kind, slash, key = text.partition("/")
    if not slash or not kind:
        raise InvalidMessage(f"{text!r} is no address; one looks like flights/LX1")
    return kind, key


@lru_cache(maxsize=16_384)
def shard_of(key: str, shards: int) -> int:
    """Which slice of its kind a key belongs to; the same on every node, process and machine."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % shards
