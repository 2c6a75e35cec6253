"""The same conversation for Mermaid and for JSON."""

from __future__ import annotations

import json

from runtime.observe.conversation import Conversation, MessageStatus, TracedMessage
from runtime.observe.sequence import as_mermaid, as_object, milliseconds


def message(number: int, **values: object) -> TracedMessage:
    given: dict[str, object] = {
        "id": bytes([number]) * 16,
        "cause": b"",
        "sender": "client",
        "to": "sales/ORD-1",
        "type": "shop.PlaceOrder",
        "status": MessageStatus.HANDLED,
        "sent_at_s": 1000.0,
        "handled_at_s": 1000.0042,
        "due_at_s": None,
        "attempts": 1,
        "node": "sales-1@abc",
        "note": "",
    }
    return TracedMessage(**{**given, **values})  # type: ignore[arg-type]


TALK = Conversation(
    b"T" * 16,
    (
        message(1),
        message(
            2,
            cause=b"\x01" * 16,
            sender="sales/ORD-1",
            to="billing/ORD-1",
            type="shop.BillOrder",
            status=MessageStatus.PARKED,
            handled_at_s=None,
            attempts=12,
            note="ValueError: no; <such> # card",
        ),
    ),
)


def test_a_diagram_names_participants_and_messages() -> None:
    lines = as_mermaid(TALK).splitlines()
    assert lines[:5] == [
        "sequenceDiagram",
        "    autonumber",
        "    participant p0 as client",
        "    participant p1 as sales/ORD-1",
        "    participant p2 as billing/ORD-1",
    ]
    assert lines[5] == "    p0->>p1: PlaceOrder (4.2 ms)"
    assert lines[6] == "    p1-xp2: BillOrder"


def test_a_note_says_what_went_wrong_without_breaking_the_diagram() -> None:
    note = as_mermaid(TALK).splitlines()[7]
    assert note == "    Note over p2: parked after 12 attempts: ValueError: no#59; #60;such#62; #35; card"


def test_odd_keys_stay_on_their_line() -> None:
    odd = Conversation(b"T" * 16, (message(1, to="sales/a\nb;end\u2028\x1b[31m"),))
    drawn = as_mermaid(odd)
    assert "participant p1 as sales/a b#59;#101;nd  [31m" in drawn
    assert len(drawn.splitlines()) == 5


def test_a_long_error_is_cut() -> None:
    drawn = as_mermaid(Conversation(b"T" * 16, (message(1, note="x" * 5000),)))
    assert max(len(line) for line in drawn.splitlines()) < 200


def test_json_has_relative_times_and_ids_in_hex() -> None:
    shown = json.loads(json.dumps(as_object(TALK)))
    assert shown["id"] == (b"T" * 16).hex()
    assert shown["open"] == 1
    first, second = shown["messages"]
    assert (first["sent_ms"], first["handled_ms"], first["from"]) == (0.0, 4.2, "client")
    assert (second["handled_ms"], second["cause"], second["status"]) == (None, "01" * 16, "parked")


def test_time_is_relative_to_the_first_message() -> None:
    assert milliseconds(TALK, 1000.5) == 500.0
    assert milliseconds(TALK, None) is None
