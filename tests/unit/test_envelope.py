"""The bytes of an envelope: made from its fields when they are asked for, or kept as they were read."""

from __future__ import annotations

from dataclasses import replace

from runtime.envelope import Envelope, decode


def envelope(**fields: object) -> Envelope:
    given: dict[str, object] = {"id": b"i" * 16, "kind": "billing", "key": "K", "type": "shop.BillOrder", "body": b"b"}
    return Envelope(**{**given, "conversation": b"c" * 16, "sent_at_s": 100.0, **fields})  # type: ignore[arg-type]


def test_the_bytes_are_made_once() -> None:
    one = envelope()
    assert one.encoded is one.encoded


def test_an_envelope_is_read_as_it_was_made() -> None:
    one = envelope(sender="sales/K", refusals=("Declined",), begun=True, sequence=7)
    assert decode(one.encoded) == one
    assert hash(decode(one.encoded)) == hash(one)


def test_a_copy_with_another_field_has_bytes_of_its_own() -> None:
    one = envelope()
    assert one.encoded
    assert decode(replace(one, key="L").encoded).key == "L"


def test_what_a_newer_node_says_beyond_the_fields_is_passed_on() -> None:
    newer = envelope().encoded + b"\xc2\x3e\x01x"  # a field of the number 1000, which this build does not know
    assert decode(newer).encoded == newer
