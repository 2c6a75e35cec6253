"""What traces tell of turns: one span for each message that a committed turn has handled, and where it hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.traces.place import SpanPlace, apart_of, kept_traceparent, read_place, span_of, trace_of
from runtime.durable.traces.tracing import Hop, Tracing, TurnSpan
from runtime.durable.turn.unhandled import HandlerFailed
from runtime.errors import StoreUnavailable
from runtime.protos.durable_pb2 import Timers
from runtime.store.groups import Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import Transition, Verdict
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import CONVERSATION, Post, Till

CALLER = SpanPlace(b"c" * 16, b"s" * 8)


class TracedTill:
    """A node with a till, and what its turns tell."""

    def __init__(
        self, till: Till, store: MemoryStore | None = None, *, ratio: float = 1.0, apart: Sequence[Hop] = tuple(Hop)
    ) -> None:
        self.spans: list[TurnSpan] = []
        self.till = till
        clock = VirtualClock(asyncio.get_running_loop())
        self.tracing = Tracing(ratio, apart, clock, self.spans.append)
        self.local = LocalNode([till], store, clock=clock, tracing=self.tracing)
        self.post = Post(self.local)

    async def start(self) -> TracedTill:
        await self.local.start()
        return self

    async def stop(self) -> None:
        await self.local.stop()

    def outcomes(self) -> list[tuple[str, int]]:
        return [(one.outcome, one.attempt) for one in self.spans]


class LosesOnce(MemoryStore):
    """A store that fails as the first turn is committed."""

    fails = 1

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.fails and any(one.actor is not None for one in transitions_of(batch)):
            self.fails -= 1
            raise StoreUnavailable("cut off")
        return await super().commit(batch)


def test_a_span_is_named_by_its_conversation_and_its_message_and_links_to_the_clients() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till()).start()
        await node.local.send(BillOrder(order_id="ORD-1", amount_cents=1), traceparent=CALLER.traceparent)
        (span,) = node.spans
        assert span.place == SpanPlace(span.conversation, span_of(span.message_id))
        assert (span.parent, span.links, span.message_id) == (b"", (CALLER,), span.conversation)
        assert (span.kind, span.type, span.outcome, span.is_failed) == ("billing", "shop.BillOrder", "handled", False)
        assert span.began_at_s <= span.ended_at_s
        await node.stop()

    in_virtual_time(scenario)


def test_what_a_turn_sends_says_the_place_of_its_span_and_not_that_of_the_client() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till(sends={1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=2))})).start()
        await node.local.send(BillOrder(order_id="ORD-1", amount_cents=1), traceparent=CALLER.traceparent)
        await node.local.sleep(1)
        first, second = node.spans
        assert second.place == SpanPlace(first.place.trace, span_of(second.message_id))
        assert (second.parent, second.links) == (first.place.span, ())
        await node.stop()

    in_virtual_time(scenario)


def test_a_turn_that_was_lost_is_an_event_of_the_span_and_no_span() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till(), LosesOnce(LocalNode([]).ports)).start()
        await node.post.send(node.post.bill(1))
        await node.local.sleep(10)
        assert node.till.runs == [1, 1], "its handler ran twice"
        (span,) = node.spans
        (lost_at_s,) = span.lost_at_s
        assert lost_at_s < span.ended_at_s and span.outcome == "handled"
        await node.stop()

    in_virtual_time(scenario)


def test_a_timer_begins_a_trace_beside_that_of_its_conversation_and_links_to_who_set_it() -> None:
    async def scenario() -> None:
        node = TracedTill(Till())
        fires_at_s = node.local.ports.clock.now_s() + 3
        node.till.timers[1] = SetTimer("remind", fires_at_s, BillOrder(order_id="ORD-1", amount_cents=2))
        node.till.sends[2] = Outgoing(BillOrder(order_id="ORD-2", amount_cents=4))
        await node.start()
        await node.post.send(node.post.bill(1))
        await node.local.sleep(1)
        (timer,) = Timers.FromString((await node.local.row("billing", "ORD-1")).timers).timers
        await node.local.sleep(5)
        first, fired, sent = node.spans
        assert read_place(timer.traceparent) == first.place
        assert fired.place.trace == apart_of(CONVERSATION, fired.place.span) != CONVERSATION
        assert fired.place.trace[:10] == CONVERSATION[:10], "people see that they belong together"
        assert (fired.parent, fired.links, fired.outcome) == (b"", (first.place,), "fired")
        assert (sent.place.trace, sent.parent, sent.links) == (fired.place.trace, fired.place.span, ())
        assert {one.conversation for one in node.spans} == {CONVERSATION}
        await node.stop()

    in_virtual_time(scenario)


def test_a_setting_keeps_a_timer_in_the_trace_that_set_it() -> None:
    async def scenario() -> None:
        node = TracedTill(Till(), apart=[Hop.RETRY])
        fires_at_s = node.local.ports.clock.now_s() + 3
        node.till.timers[1] = SetTimer("remind", fires_at_s, BillOrder(order_id="ORD-1", amount_cents=2))
        await node.start()
        await node.post.send(node.post.bill(1))
        await node.local.sleep(5)
        first, fired = node.spans
        assert (fired.place.trace, fired.parent, fired.links) == (CONVERSATION, first.place.span, ())
        await node.stop()

    in_virtual_time(scenario)


def test_each_turn_that_fails_is_a_span_and_a_later_one_begins_a_trace_with_a_link_to_the_sender() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till(broken={1})).start()
        sender = SpanPlace(CONVERSATION, b"p" * 8)
        await node.post.send(node.post.bill(1, cause=b"m" * 16, traceparent=sender.traceparent))
        await node.local.sleep(60)
        assert node.outcomes() == [("retried", 1), ("retried", 2), ("parked", 3)]
        assert all(one.is_failed for one in node.spans)
        first, *later = node.spans
        assert (first.place.trace, first.parent, first.links) == (CONVERSATION, sender.span, ())
        for one in later:
            assert (one.parent, one.links) == (b"", (sender,))
            assert one.place.trace == apart_of(CONVERSATION, one.place.span)
        facts = cast("list[HandlerFailed]", node.local.facts_of(HandlerFailed))
        assert [one.trace for one in facts] == [one.place.trace.hex() for one in node.spans[:2]]
        await node.stop()

    in_virtual_time(scenario)


def test_a_dead_letter_that_is_replayed_again_and_again_never_makes_one_span_twice() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till(broken={1})).start()
        await node.post.send(node.post.bill(1))
        await node.local.sleep(60)
        for _ in range(2):
            (letter,) = await node.local.mail("billing", "ORD-1")
            free = replace(letter, parked="", parked_at_s=0.0, due_at_s=0.0, attempts=1)
            again = Transition(address=letter.address, shard=letter.shard, rescheduled=(free,))
            assert await node.local.store.commit([again]) == [Verdict.COMMITTED]
            await node.local.sleep(120)
        assert len(node.spans) == 3 + 2 + 2
        assert len({one.place for one in node.spans}) == len(node.spans)
        await node.stop()

    in_virtual_time(scenario)


def test_what_an_operator_says_to_a_conversation_begins_a_trace_with_a_link_to_its_beginning() -> None:
    async def scenario() -> None:
        node = await TracedTill(Till()).start()
        await node.post.send(node.post.bill(1, sender="operator/ann"))
        await node.local.sleep(1)
        (span,) = node.spans
        assert span.place.trace == apart_of(CONVERSATION, span.place.span)
        assert (span.parent, span.links) == (b"", (SpanPlace(CONVERSATION, span_of(CONVERSATION)),))
        await node.stop()

    in_virtual_time(scenario)


def test_of_a_sample_conversations_are_traced_whole_or_not_at_all() -> None:
    async def scenario() -> None:
        node = await TracedTill(
            Till(sends={1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=2))}), ratio=0.25
        ).start()
        for number in range(200):
            conversation = number.to_bytes(16, "big")
            await node.post.send(node.post.bill(1, conversation=conversation))
        await node.local.sleep(5)
        traced = [one.conversation for one in node.spans]
        assert 25 < len(set(traced)) < 75, "about a quarter of 200, though their ids differ in a few bits only"
        assert {traced.count(one) for one in traced} == {2}, "both messages of each"
        await node.stop()

    in_virtual_time(scenario)


def test_what_is_not_in_the_sample_passes_on_what_the_client_said() -> None:
    async def scenario() -> None:
        till = Till(timers={1: SetTimer("remind", 9e9, BillOrder(order_id="ORD-1"))})
        till.sends[1] = Outgoing(BillOrder(order_id="ORD-2", amount_cents=9), due_at_s=9e9)
        node = await TracedTill(till, ratio=0.0).start()
        await node.local.send(BillOrder(order_id="ORD-1", amount_cents=1), traceparent=CALLER.traceparent)
        (row,) = await node.local.mail("billing", "ORD-2")
        assert CALLER.traceparent.encode() in row.envelope
        assert not Timers.FromString((await node.local.row("billing", "ORD-1")).timers).timers[0].traceparent
        assert node.spans == []
        await node.stop()

    in_virtual_time(scenario)


def test_a_trace_is_named_as_its_conversation_or_by_a_hash_of_it() -> None:
    assert trace_of(CONVERSATION) == CONVERSATION
    for strange in (bytes(16), b"", b"short", b"x" * 17):
        assert len(trace_of(strange)) == 16 and any(trace_of(strange)) and trace_of(strange) != strange
    assert trace_of(b"short") == trace_of(b"short") != trace_of(b"")


def test_a_traceparent_is_read_as_w3c_has_it_and_what_is_none_is_nobodys() -> None:
    assert read_place(CALLER.traceparent) == CALLER
    assert read_place(CALLER.traceparent.replace("00-", "01-") + "-more") == CALLER, "of a later version"
    trace, span = "ab" * 16, "cd" * 8
    for wrong in (
        "",
        "00",
        f"ff-{trace}-{span}-01",
        f"00-{'0' * 32}-{span}-01",
        f"00-{trace}-{'0' * 16}-01",
        f"00-{trace.upper()}-{span}-01",
        f"00-{trace}-{span}",
        f"00-{trace}-{span}-01\n",
        f"00-{trace}-{span}-01-more",
        f"01-{trace}-{span}-01more",
    ):
        assert read_place(wrong) is None, wrong
        assert kept_traceparent(wrong) == ""


def test_of_a_traceparent_no_more_is_kept_than_the_first_version_has() -> None:
    assert kept_traceparent(CALLER.traceparent) == CALLER.traceparent
    assert kept_traceparent(CALLER.traceparent.replace("00-", "cc-", 1) + "-more" * 9_999) == CALLER.traceparent


def test_what_a_client_says_that_is_no_traceparent_is_not_stored_and_links_to_nothing() -> None:
    async def scenario() -> None:
        till = Till(sends={1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=9), due_at_s=9e9)})
        node = await TracedTill(till).start()
        await node.local.send(BillOrder(order_id="ORD-1", amount_cents=1), traceparent="00-" + "junk" * 9_999)
        (span,) = node.spans
        assert (span.place.trace, span.parent, span.links) == (span.conversation, b"", ())
        (row,) = await node.local.mail("billing", "ORD-2")
        assert b"junk" not in row.envelope
        await node.stop()

    in_virtual_time(scenario)


class PlaceKeeper(Service[BillState], kind="billing"):
    """A service that keeps where its last handling stood in a trace."""

    async def bill(self, command: BillOrder) -> None:
        self.state.charge_id = self.traceparent


@pytest.mark.parametrize("ratio", [1.0, 0.0])
def test_a_handler_is_told_its_place_for_calls_outside_and_of_what_is_not_sampled_that_of_the_client(
    ratio: float,
) -> None:
    async def scenario() -> None:
        spans: list[TurnSpan] = []
        clock = VirtualClock(asyncio.get_running_loop())
        tracing = Tracing(ratio, tuple(Hop), clock, spans.append)
        node = LocalNode([ServiceBehaviour(PlaceKeeper)], clock=clock, tracing=tracing)
        await node.start()
        for said in (CALLER.traceparent, ""):
            await node.send(BillOrder(order_id="ORD-1", amount_cents=1), traceparent=said)
            kept = BillState.FromString((await node.row("billing", "ORD-1")).state).charge_id
            assert kept == (spans[-1].place.traceparent if ratio else said)
        await node.stop()

    in_virtual_time(scenario)
