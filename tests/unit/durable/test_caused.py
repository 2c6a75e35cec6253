"""A row of history keeps what its message led to without what the row itself tells, and gives all of it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import DecodeError

from runtime.durable.caused import came_of, note_caused, readable_came_of
from runtime.envelope import Envelope, address_of, message_id
from runtime.protos.durable_pb2 import CausedList
from runtime.store.records import HistoryRow, Outcome

CAUSE = Envelope(
    id=b"c" * 16,
    kind="billing",
    key="ORD-1",
    type="shop.BillOrder",
    body=b"",
    conversation=b"t" * 16,
    sender="order-process/ORD-1",
    sent_at_s=1_700_000_000.123,
)
ID = message_id(CAUSE.sent_at_s, CAUSE.id, 1, "order-process/ORD-1")
ANSWER = replace(CAUSE, id=ID, kind="order-process", type="shop.OrderBilled", cause=CAUSE.id, sender="billing/ORD-1")


def row_of(cause: Envelope, *sent: Envelope) -> HistoryRow:
    caused = CausedList()
    note_caused(caused, cause, sent)
    told = (cause.conversation, cause.id, cause.kind, cause.key, 0, 1, 1_700_000_001.0, Outcome.HANDLED, 1, "n@1", "")
    return HistoryRow(*told, cause.type, cause.sender, cause.cause, cause.sent_at_s, caused.SerializeToString())


@pytest.mark.parametrize(
    ("cause", "sent"),
    [
        pytest.param(CAUSE, ANSWER, id="an answer to who asks"),
        pytest.param(CAUSE, replace(ANSWER, kind="warehouse"), id="another actor of the same key"),
        pytest.param(CAUSE, replace(ANSWER, kind="billing"), id="the actor itself"),
        pytest.param(CAUSE, replace(ANSWER, kind="warehouse", key="HAT"), id="an actor of another key"),
        pytest.param(CAUSE, replace(ANSWER, kind="warehouse", key="rack/HAT/"), id="a key with slashes"),
        pytest.param(replace(CAUSE, key="a/"), replace(ANSWER, kind="w", key="a/"), id="its own key with a slash"),
        pytest.param(replace(CAUSE, sender=""), ANSWER, id="a client's command"),
        pytest.param(CAUSE, replace(ANSWER, type="amends.Fault"), id="a type of another package"),
        pytest.param(CAUSE, replace(ANSWER, type="shop.v2.OrderBilled"), id="a type of a package within"),
        pytest.param(replace(CAUSE, type="Bill"), replace(ANSWER, type="Billed"), id="types without a package"),
        pytest.param(CAUSE, replace(ANSWER, type="Billed"), id="a type without a package"),
        pytest.param(CAUSE, replace(ANSWER, id=b"\xff" * 16), id="an id that was given"),
    ],
)
def test_what_was_sent_is_told_in_full(cause: Envelope, sent: Envelope) -> None:
    (one,) = came_of(row_of(cause, sent)).caused
    assert (one.id, one.address, one.type) == (sent.id, address_of(sent.kind, sent.key), sent.type)


def test_what_the_row_tells_is_not_kept_twice() -> None:
    (one,) = CausedList.FromString(row_of(CAUSE, ANSWER).caused).caused
    assert (one.id, one.address, one.type) == (ID[6:], "", ".OrderBilled")
    (one,) = CausedList.FromString(row_of(CAUSE, replace(ANSWER, kind="warehouse")).caused).caused
    assert one.address == "warehouse/"


def test_bytes_that_are_no_list_are_an_error_to_the_engine_and_nothing_to_who_shows_them() -> None:
    row = replace(row_of(CAUSE), caused=b"\xff")
    with pytest.raises(DecodeError):
        came_of(row)
    assert readable_came_of(row) == CausedList()
