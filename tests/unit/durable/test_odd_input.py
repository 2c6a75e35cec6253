"""Input that no honest sender would make costs itself only: it is parked or refused, and the rest goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Coroutine
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled
from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.durable.kind import Limits, SweepFailed
from runtime.errors import FinalError, InvalidMessage, StoreUnavailable
from runtime.protos import durable_pb2, mesh_pb2
from runtime.store.records import ActorRow, Expected, MailRow, Subscription, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def wrapped() -> None:
        await scenario

    in_virtual_time(wrapped)


async def parked(local: LocalNode, key: str = "ORD-1") -> list[str]:
    return [row.parked for row in await local.mail("billing", key) if row.parked]


async def change_row(local: LocalNode, row: ActorRow, **fields: Any) -> None:
    changed = dataclasses.replace(row, revision=row.revision + 1, last_id=b"z" * 16, **fields)
    expected = Expected(row.revision, row.last_id)
    transition = Transition(actor=changed, expected=expected, address=row.address, shard=row.shard)
    assert await local.store.commit([transition]) == [Verdict.COMMITTED]


KEYS = ["a/b/c", "/", "ключ", "🧾\u200d", "a" * 256, "🧾" * 64, " ", "#1", "A#1", "\ufeff", "\u00e9", "e\u0301"]
NO_KEYS = ["a" * 1_000_000, "🧾" * 65, "a\x00", "\n", "a\x1b[2J", "\x85"]


def test_any_text_of_a_line_is_a_key() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        for key in KEYS:
            answer = await local.send(BillOrder(order_id=key, amount_cents=1))
            assert answer == OrderBilled(order_id=key, amount_cents=1)
        for key in KEYS:
            assert (await Post(local, key).state()).charges == 1
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("key", NO_KEYS, ids=range(len(NO_KEYS)))
def test_what_is_no_key_is_refused_before_anything_is_stored(key: str, explicit: bool) -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        with pytest.raises(InvalidMessage, match=r"holds a control character|must be at most 256 bytes"):
            await local.send(BillOrder(order_id="ORD-1" if explicit else key), **({"key": key} if explicit else {}))
        assert await local.mail("billing", key) == []
        await local.stop()

    run(scenario())


def test_half_a_character_is_no_key() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        with pytest.raises(InvalidMessage, match="half a character"):
            await local.send(BillOrder(order_id="ORD-1"), key="a\udc80")
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("key", NO_KEYS, ids=range(len(NO_KEYS)))
@pytest.mark.parametrize("how", ["a command", "a command with an explicit key", "an event with a subscriber"])
def test_a_handler_that_sends_to_what_is_no_key_has_failed_and_nothing_leaves(key: str, how: str) -> None:
    sent = {
        "a command": Outgoing(BillOrder(order_id=key)),
        "a command with an explicit key": Outgoing(BillOrder(order_id="ORD-2"), key=key),
        "an event with a subscriber": Outgoing(OrderBilled(order_id=key)),
    }[how]

    async def scenario() -> None:
        till = Till(sends={7: sent}, subscriptions=(Subscription("shop.OrderBilled", "billing", "order_id"),))
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(7))
        await local.sleep(200.0)
        (why,) = await parked(local)
        assert "control character" in why or "256 bytes" in why
        assert await local.mail("billing", key) == []
        await local.stop()

    run(scenario())


def test_an_actor_that_lies_in_the_store_under_an_odd_key_is_read_and_goes_on() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        post = Post(local, "odd\x00key")
        await post.send(post.bill(1))
        await local.sleep(1.0)
        assert await post.order() == ["1"]
        assert await local.client.read("billing", "odd\x00key") is not None
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("due_at_s", [math.nan, math.inf, -math.inf, -1.0, 1e15])
def test_a_timer_without_a_real_instant_fails_its_handler_and_nobody_else(due_at_s: float) -> None:
    async def scenario() -> None:
        till = Till(timers={1: SetTimer("odd", due_at_s)})
        local = await LocalNode([till]).start()
        post, other = Post(local), Post(local, "ORD-2")
        await post.send(post.bill(1), post.bill(2))
        await local.sleep(1)
        assert ["the timer 'odd' is due at" in reason for reason in await parked(local)] == [True]
        assert await post.order() == ["2"]
        await other.store(other.bill(3))
        await local.sleep(5)
        assert await other.order() == ["3"]
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("due_at_s", [math.nan, math.inf, -1.0, 1e15])
def test_a_message_without_a_real_due_time_fails_its_handler(due_at_s: float) -> None:
    async def scenario() -> None:
        till = Till(sends={1: Outgoing(BillOrder(order_id="ORD-2"), due_at_s=due_at_s)})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(1)
        assert ["is due at" in reason for reason in await parked(local)] == [True]
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("timers", [b"\xff\xff", durable_pb2.Timers(timers=[durable_pb2.Timer(due_at_s=-5)])])
def test_timers_that_cannot_be_read_stop_no_sweep(timers: bytes | durable_pb2.Timers) -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        post, other = Post(local), Post(local, "ORD-2")
        await post.send(post.bill(1))
        await local.sleep(40)
        encoded = timers if isinstance(timers, bytes) else timers.SerializeToString()
        await change_row(local, await local.row("billing", "ORD-1"), timers=encoded, due_at_s=1.0)
        await local.sleep(5)
        await other.store(other.bill(3))
        await local.sleep(5)
        assert await other.order() == ["3"]
        assert "billing/ORD-1" in str(local.facts_of(SweepFailed)[0])
        await local.stop()

    run(scenario())


@pytest.mark.parametrize("sent_at_s", [math.nan, math.inf, -1.0, 1e15])
def test_a_message_without_a_real_instant_is_parked(sent_at_s: float) -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        odd = post.bill(1, sent_at_s=sent_at_s)
        row = dataclasses.replace(MailRow.of(odd, post.shard), sent_at_s=0.0)
        await local.store.commit([Transition(mail=(row,))])
        await post.push(odd)
        await local.sleep(5)
        assert till.runs == []
        assert ["an envelope needs a real instant" in reason for reason in await parked(local)] == [True]
        await local.stop()

    run(scenario())


def test_who_cannot_be_answered_costs_the_message_and_not_the_actor() -> None:
    async def scenario() -> None:
        till = Till(broken={2})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1, reply_to="nonsense"), post.bill(2, reply_to="nonsense"), post.bill(3))
        await local.sleep(60)
        reasons = await parked(local)
        assert ["'nonsense' is no address" in reasons[0], "the till is jammed" in reasons[1]] == [True, True]
        assert await post.order() == ["3"]
        await local.stop()

    run(scenario())


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("even its text fails")


@pytest.mark.broken_by("last-retry-skipped")
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a lone \udc80 surrogate"),
        RuntimeError("x" * 1_000_000),
        UnspeakableError(),
        asyncio.CancelledError(),
        StoreUnavailable("the handler's own store"),
    ],
    ids=["surrogate", "long", "unspeakable", "cancelled", "store"],
)
def test_s55_any_error_of_a_handler_is_retried_then_parked(error: BaseException) -> None:
    async def scenario() -> None:
        till = Till(errors={1: error})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1, reply_to="billing/ORD-9"), post.bill(2))
        await local.sleep(60)
        (reason,) = await parked(local)
        assert type(error).__name__ in reason
        assert len(reason) < 20_000
        assert till.runs == [1] * till.retries.runs_max + [2]
        await local.stop()

    run(scenario())


def test_an_event_that_no_contract_names_parks_its_command_at_once() -> None:
    async def scenario() -> None:
        till = Till(sends={1: Outgoing(mesh_pb2.Hello())})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1), post.bill(2))
        await local.sleep(1)
        assert ["no message type 'amends.Hello' is known here" in reason for reason in await parked(local)] == [True]
        assert await post.order() == ["2"]
        await local.stop()

    run(scenario())


def test_an_answer_to_a_kind_that_nobody_hosts_waits_in_the_store() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        post = Post(local)
        await post.send(post.bill(1, reply_to="nobody/at/home"), post.bill(2))
        await local.sleep(5)
        assert await post.order() == ["1", "2"]
        (answer,) = await local.mail("nobody", "at/home")
        assert not answer.parked
        await local.stop()

    run(scenario())


def test_a_state_that_cannot_be_read_does_not_keep_its_mail_because_of_a_timer() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        due_s = local.ports.clock.now_s() + 45
        post = Post(local)
        till = local.behaviours[0]
        assert isinstance(till, Till)
        till.timers[1] = SetTimer("remind", due_s)
        await post.send(post.bill(1))
        await local.sleep(40)
        await change_row(local, await local.row("billing", "ORD-1"), state=b"\xff\xff")
        await local.sleep(4.9)
        await post.store(post.bill(2))
        await local.sleep(10)
        assert ["cannot be read" in reason for reason in await parked(local)] == [True]
        await local.stop()

    run(scenario())


def test_a_caller_learns_that_its_command_was_given_up_though_many_dead_letters_lie_before_it() -> None:
    async def scenario() -> None:
        till = Till(errors={1: FinalError("never"), 2: FinalError("never either")})
        local = await LocalNode([till], limits=Limits(mailbox_max=1)).start()
        id = int(local.ports.clock.now_s() * 1000).to_bytes(6, "big") + bytes(10)
        await local.client.ask(BillOrder(order_id="ORD-1", amount_cents=1), timeout=5.0)
        await local.sleep(1.0)
        for _ in range(2):
            reply = await local.client.ask(BillOrder(order_id="ORD-1", amount_cents=2), timeout=5.0, message_id=id)
            assert "never either" in reply.fault
        await local.stop()

    run(scenario())
