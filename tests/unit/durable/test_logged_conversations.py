"""Lines about a message name its conversation: those that its handler writes, and those that tell what became of it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, BillState
from runtime.adapters import SystemClock
from runtime.durable.behaviour import Decision, Delivery, RetryPolicy
from runtime.durable.traces.tracing import Hop, Tracing, TurnSpan
from runtime.observe.logging import open_log, route_standard_logging
from runtime.store.records import Subscription
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time

_LIBRARY = logging.getLogger("payments.library")


class LoggingTill:
    """It warns in its handler, in a thread of that, and after a wait. Then it fails."""

    kind = "billing"
    process = ""
    state_type: type[Message] = BillState
    retries = RetryPolicy(immediate=0, delays=(1.0,))
    subscriptions: tuple[Subscription, ...] = ()
    accepts = frozenset(("shop.BillOrder",))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        _LIBRARY.warning("the card is slow")
        thread = threading.Thread(target=_LIBRARY.warning, args=["a thread is slow"])
        thread.start()
        thread.join()
        await asyncio.sleep(0.1)
        _LIBRARY.warning("the card is still slow")
        raise ValueError("no such card")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_of_a_handler_and_lines_about_its_message_name_the_conversation(lines: io.StringIO) -> None:
    async def scenario() -> None:
        local = LocalNode([LoggingTill()])
        log = open_log(clock=local.ports.clock, stream=lines)
        route_standard_logging(log, SystemClock())
        log.follow(local.ports.handling)
        await local.start()
        assert await local.send(BillOrder(order_id="ORD-1", amount_cents=1)) is None
        _LIBRARY.warning("nobody's line")
        for fact in local.facts:
            log.report(fact)
        (row,) = await local.mail("billing", "ORD-1")
        expected = row.conversation.hex()
        said = {(line["event"], line.get("conversation")) for line in _read(lines)}
        assert said >= {
            ("the card is slow", expected),
            ("the card is still slow", expected),
            ("handler failed", expected),
            ("message parked", expected),
            ("a thread is slow", None),
            ("nobody's line", None),
        }
        await local.stop()

    in_virtual_time(scenario)


def test_lines_about_a_message_that_is_traced_name_its_trace(lines: io.StringIO) -> None:
    async def scenario() -> None:
        spans: list[TurnSpan] = []
        clock = VirtualClock(asyncio.get_running_loop())
        tracing = Tracing(1.0, tuple(Hop), clock, spans.append)
        local = LocalNode([LoggingTill()], clock=clock, tracing=tracing)
        log = open_log(clock=clock, stream=lines)
        route_standard_logging(log, SystemClock())
        log.follow(local.ports.handling)
        local.ports.handling.trace_of = tracing.trace_of
        await local.start()
        await local.send(BillOrder(order_id="ORD-1", amount_cents=1))
        for fact in local.facts:
            log.report(fact)
        first, again = (one.place.trace.hex() for one in spans)
        said = [(line["event"], line.get("trace")) for line in _read(lines)]
        assert ("the card is slow", first) in said and ("the card is still slow", first) in said
        assert ("a thread is slow", None) in said
        assert ("handler failed", first) in said and ("message parked", again) in said and first != again
        await local.stop()

    in_virtual_time(scenario)


def _read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]
