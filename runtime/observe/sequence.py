"""A conversation as a Mermaid sequence diagram, as text, and as an object for JSON; nothing is printed here."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from runtime.observe.conversation import Conversation, MessageStatus, TracedMessage

__all__ = ["as_mermaid", "as_object", "as_text", "escaped", "milliseconds"]

_ARROWS = {
    MessageStatus.HANDLED: "->>",
    MessageStatus.FIRED: "->>",
    MessageStatus.IGNORED: "-->>",
    MessageStatus.UNDONE: "-->>",
    MessageStatus.FAULTED: "-x",
    MessageStatus.WAITING: "-)",
    MessageStatus.RETRYING: "-)",
    MessageStatus.PARKED: "-x",
    MessageStatus.ELSEWHERE: "--)",
}
_QUIET = (MessageStatus.HANDLED, MessageStatus.FIRED)
# What Mermaid would read as its own: statement ends, entities, markup, and the word that closes a block.
_SPECIAL = re.compile(r"[;#<>%{}\"\\]|[\x00-\x1f\x7f-\x9f\u2028\u2029]|\b[eE](?=nd\b)")
_NOTE_MAX = 120


def milliseconds(conversation: Conversation, at_s: float | None) -> float | None:
    """Milliseconds since the conversation began, to a tenth."""
    return None if at_s is None else round((at_s - conversation.began_at_s) * 1000, 1)


def as_mermaid(conversation: Conversation) -> str:
    """A `sequenceDiagram`: solid arrows for what took effect, dashed for what did not, open ones for what waits."""
    names = {participant: f"p{index}" for index, participant in enumerate(conversation.participants)}
    lines = ["sequenceDiagram", "    autonumber"]
    lines += [f"    participant {name} as {escaped(participant)}" for participant, name in names.items()]
    for message in conversation.messages:
        sender, to = names[message.sender], names[message.to]
        lines.append(f"    {sender}{_ARROWS[message.status]}{to}: {_label(conversation, message)}")
        if message.status not in _QUIET or message.note:
            lines.append(f"    Note over {to}: {_note(message)}")
    return "\n".join(lines) + "\n"


def as_text(conversation: Conversation) -> str:
    """A line for each message: when, from whom to whom, its type, what became of it and where."""
    return "\n".join(_line(conversation, message) for message in conversation.messages)


def _line(conversation: Conversation, message: TracedMessage) -> str:
    at_ms = milliseconds(conversation, message.at_s) or 0.0
    note = f" ({message.note})" if message.note else ""
    way = f"{message.sender} -> {message.to}"
    return f"{at_ms:10.1f} ms  {way:48}  {message.short_type:22} {message.status} {message.node}{note}"


def as_object(conversation: Conversation) -> dict[str, object]:
    """Ready for JSON: ids in hex, times both relative (ms) and absolute (seconds since 1970)."""
    return {
        "id": conversation.id.hex(),
        "began_at": _instant(conversation.began_at_s),
        "began_at_s": conversation.began_at_s,
        "participants": list(conversation.participants),
        "open": len(conversation.open),
        "messages": [_message_object(conversation, message) for message in conversation.messages],
    }


def _instant(at_s: float) -> str | None:
    """None for what no calendar has."""
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _message_object(conversation: Conversation, message: TracedMessage) -> dict[str, object]:
    return {
        "id": message.id.hex(),
        "cause": message.cause.hex(),
        "from": message.sender,
        "to": message.to,
        "type": message.type,
        "status": message.status.value,
        "sent_ms": milliseconds(conversation, message.sent_at_s),
        "handled_ms": milliseconds(conversation, message.handled_at_s),
        "due_ms": milliseconds(conversation, message.due_at_s),
        "attempts": message.attempts,
        "node": message.node,
        "note": message.note,
        "unheard": list(message.unheard),
    }


def _label(conversation: Conversation, message: TracedMessage) -> str:
    handled_ms = milliseconds(conversation, message.handled_at_s)
    return escaped(message.short_type) + ("" if handled_ms is None else f" ({handled_ms:g} ms)")


def _note(message: TracedMessage) -> str:
    runs = f" after {message.attempts} attempts" if message.attempts > 1 else ""
    reason = f": {message.note}" if message.note else ""
    text = f"{message.status}{runs}{reason}"
    return escaped(text if len(text) <= _NOTE_MAX else text[: _NOTE_MAX - 1] + "…")


def escaped(text: str) -> str:
    """Characters that mean something to Mermaid as entity codes; control characters as spaces."""

    def entity(match: re.Match[str]) -> str:
        char = match[0]
        return f"#{ord(char)};" if char.isprintable() else " "

    return _SPECIAL.sub(entity, text)
