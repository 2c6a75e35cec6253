"""Ids of messages: the same for the same message, whoever makes it, and for no other."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from runtime.envelope import body_of, content_of, message_id

CAUSE = b"c" * 16
NAMES = tuple(f"name {number}" for number in range(50))


def test_a_map_is_written_in_the_order_of_its_keys_however_it_was_filled() -> None:
    """A handler that runs again, perhaps in another process, has to give what it says the id of before."""
    one, other = Struct(), Struct()
    for name in NAMES:
        one[name] = name
    for name in reversed(NAMES):
        other[name] = name
    assert one == other
    assert body_of(one) == body_of(other)


def test_an_id_tells_apart_what_is_said_and_to_whom_and_because_of_what() -> None:
    said = content_of("shop.BillOrder", b"body")
    ids = [
        message_id(1.0, CAUSE, 1, "billing/ORD-1", said),
        message_id(2.0, CAUSE, 1, "billing/ORD-1", said),
        message_id(1.0, b"d" * 16, 1, "billing/ORD-1", said),
        message_id(1.0, CAUSE, 2, "billing/ORD-1", said),
        message_id(1.0, CAUSE, 1, "billing/ORD-2", said),
        message_id(1.0, CAUSE, 1, "billing/ORD-1", content_of("shop.BillOrder", b"other")),
        message_id(1.0, CAUSE, 1, "billing/ORD-1", content_of("shop.RefundOrder", b"body")),
        message_id(1.0, CAUSE, 1, "billing/ORD-1", content_of("shop.BillOrder", b"body", CAUSE)),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(id) == 16 for id in ids)


def test_ids_sort_by_when_their_cause_was_sent() -> None:
    ids = [message_id(at_s, CAUSE, 1, "billing/ORD-1") for at_s in (0.001, 1.0, 1_700_000_000.0, 1_700_000_000.001)]
    assert ids == sorted(ids)
