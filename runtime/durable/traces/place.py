"""Where a span stands: in which trace, and under which id. Both follow from ids of messages, so every node agrees.

conversation ──trace_of──▶ the trace of its first messages: the same 16 bytes
             ──apart_of──▶ a trace beside it, of what a timer or a late retry begins: the same first 10 bytes
message, attempt ──span_of──▶ the span of that attempt
traceparent ──read_place──▶ the place of whoever has sent a message (W3C trace context)
            ──kept_traceparent──▶ what of it goes into an envelope
"""

from __future__ import annotations

import hashlib
import re

from runtime.record import record

__all__ = ["SpanPlace", "apart_of", "is_of", "kept_traceparent", "read_place", "span_of", "trace_of"]

_SHARED = 10  # So many first bytes do all traces of a conversation share: its ms since 1970, and 4 random bytes.
_KNOWN_CHARS = 55  # A later version than 00 may say more behind them, after a hyphen.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@record(frozen=True, slots=True)
class SpanPlace:
    """A span's place."""

    trace: bytes  # 16 bytes, not all of them zero
    span: bytes  # 8 bytes, not all of them zero

    @property
    def traceparent(self) -> str:
        """As W3C trace context has it, version 00, sampled."""
        return f"00-{self.trace.hex()}-{self.span.hex()}-01"


def read_place(traceparent: str) -> SpanPlace | None:
    """The place that a traceparent names; None for what is none."""
    known, more = traceparent[:_KNOWN_CHARS], traceparent[_KNOWN_CHARS : _KNOWN_CHARS + 1]
    found = _TRACEPARENT.fullmatch(known)
    if found is None or (more and (more != "-" or known.startswith("00"))):
        return None
    place = SpanPlace(bytes.fromhex(found[1]), bytes.fromhex(found[2]))
    return place if any(place.trace) and any(place.span) else None


def kept_traceparent(traceparent: str) -> str:
    """What is kept of a traceparent that somebody else made: 55 characters, as version 00; empty of what is none."""
    if not traceparent or read_place(traceparent) is None:
        return ""
    return f"00{traceparent[2:_KNOWN_CHARS]}"


def trace_of(conversation: bytes) -> bytes:
    """The trace that is named as the conversation is; for what can name none, a hash of it."""
    if len(conversation) == 16 and any(conversation):
        return conversation
    return hashlib.blake2b(conversation, digest_size=16).digest()


def apart_of(trace: bytes, span: bytes) -> bytes:
    """The trace that begins with this span, beside that one. Their first bytes tell that they belong together."""
    return trace[:_SHARED] + hashlib.blake2b(span, digest_size=16 - _SHARED).digest()


def is_of(place: SpanPlace, trace: bytes) -> bool:
    """Whether the place is in a trace of the conversation that this trace is of."""
    return place.trace[:_SHARED] == trace[:_SHARED]


def span_of(message_id: bytes, attempt: int = 1, revision: int = 0) -> bytes:
    """The id of the span of one attempt at a message: 8 bytes, the same whoever computes it.

    A dead letter that is replayed counts its attempts anew. So a later attempt than the first has the `revision` of
    its actor in its id, too.
    """
    made_of = message_id if attempt == 1 else b"%b|%d|%d" % (message_id, attempt, revision)
    return hashlib.blake2b(made_of, digest_size=8).digest()
