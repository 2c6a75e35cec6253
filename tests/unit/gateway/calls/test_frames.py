"""Frames of calls: what breaks the rules of a stream, and how much goes into one frame."""

from __future__ import annotations

import pytest

from protos import orders_pb2
from runtime.errors import InvalidMessage
from runtime.gateway.calls.frames import check_calls, how_many_fit, read_calls
from runtime.protos import calls_pb2
from runtime.protos.calls_pb2 import Call, CallAnswer


def test_a_frame_ends_with_the_last_id_of_its_calls() -> None:
    assert check_calls([Call(id=3), Call(id=7, timeout_s=0.5)], 2, 5, 7) == 7
    assert check_calls([], 2, 7, 7) == 2


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ([Call(id=0)], "rise from call to call, from 1; 0 came after 0"),
        ([Call(id=2), Call(id=2)], "2 came after 2"),
        ([Call(id=1, timeout_s=-0.5)], "0 or more seconds; call 1 has -0.5"),
        ([Call(id=1, timeout_s=float("nan"))], "call 1 has nan"),
        ([Call(id=1, timeout_s=float("inf"))], "call 1 has inf"),
        ([Call(id=1), Call(id=2), Call(id=3)], "at most 7 may be"),
    ],
)
def test_what_breaks_the_rules_is_named_with_the_rule(calls: list[Call], text: str) -> None:
    with pytest.raises(InvalidMessage, match=text):
        check_calls(calls, 0, 5, 7)


def test_bytes_that_are_no_frame_are_refused() -> None:
    with pytest.raises(InvalidMessage, match="7 bytes are no frame of calls"):
        read_calls(b"\xff" * 7)


def test_a_frame_takes_what_fits_and_one_at_least() -> None:
    answers = [CallAnswer(id=number, response=bytes(100)) for number in range(1, 11)]
    assert how_many_fit(answers, 100_000, 10) == 10
    assert how_many_fit(answers, 100_000, 4) == 4
    assert how_many_fit(answers, 400, 10) == 3
    assert how_many_fit(answers, 10, 10) == 1
    assert how_many_fit(answers, 10, 0) == 0
    assert how_many_fit([], 10, 10) == 0


def test_placements_are_calls_on_the_wire_and_their_answers_are_answers() -> None:
    order = orders_pb2.PlaceOrderRequest(order_id="ORD-1", sku="CUP", quantity=2)
    placement = orders_pb2.Placement(id=7, order=order, timeout_s=1.5, metadata={"traceparent": "00-ab-cd-01"})
    call = Call(id=7, request=order.SerializeToString(), timeout_s=1.5, metadata={"traceparent": "00-ab-cd-01"})
    placements = orders_pb2.Placements(placements=[placement], cancelled=[3, 4])
    calls = calls_pb2.Calls(calls=[call], cancelled=[3, 4])
    assert placements.SerializeToString(deterministic=True) == calls.SerializeToString(deterministic=True)
    placed = orders_pb2.Order(order_id="ORD-1", revision=2)
    answer = CallAnswer(id=7, response=placed.SerializeToString(), code=5, text="no", metadata={"a": "b"})
    answers = calls_pb2.Answers(answers=[answer], calls_max=8, frame_bytes_max=9, goodbye="later")
    assert orders_pb2.PlacementAnswers.FromString(answers.SerializeToString()) == orders_pb2.PlacementAnswers(
        answers=[orders_pb2.PlacementAnswer(id=7, order=placed, code=5, text="no", metadata={"a": "b"})],
        orders_max=8,
        frame_bytes_max=9,
        goodbye="later",
    )
