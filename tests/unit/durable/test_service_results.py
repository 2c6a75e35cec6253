"""What a service's functions leave behind is what their signatures say, or the run has failed and nothing leaves."""

from __future__ import annotations

import asyncio
import math
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import OrderPlaced, OrderState, PlaceOrder
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.reaction import Reaction
from runtime.durable.results import Answer
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.turn.draft import SENT_MAX
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.protos import durable_pb2, mesh_pb2, saga_pb2
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post
from tests.unit.saga.made import made

Handler = Callable[[Any, BillOrder], Awaitable[Any]]


def a_till(handler: Handler) -> type[Service[Any]]:
    """A service whose one handler does this, and says that it returns OrderBilled."""

    class ATill(Service[BillState], kind="billing", retries=RetryPolicy(immediate=1, delays=())):
        async def bill(self, command: BillOrder) -> OrderBilled:
            made: OrderBilled = await handler(self, command)
            return made

    return ATill


@pytest.mark.parametrize("kind", ["a/b", "\ud800", "a\x00", " billing"])
def test_a_command_for_a_kind_that_cannot_be_written_is_refused(kind: str) -> None:
    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(ResultBilling)]).start()
        with pytest.raises(InvalidMessage, match=r"shop.BillOrder needs a kind"):
            await local.client.ask(BillOrder(order_id="ORD-1"), timeout=60.0, kind=kind)
        await local.stop()

    in_virtual_time(scenario)


async def told(handler: Handler, *, then: Callable[[LocalNode], Awaitable[None]] | None = None) -> str:
    """What a client is told of its command: the fault, or the answer as text."""
    local = await LocalNode([ServiceBehaviour(a_till(handler))]).start()
    reply = await local.client.ask(BillOrder(order_id="ORD-1", amount_cents=1), timeout=60.0)
    if then is not None:
        await then(local)
    assert bool(reply.fault) == bool(await local.mail("billing", "ORD-1"))
    await local.stop()
    return reply.fault or str(reply.message)


def outcome(handler: Handler, **options: Any) -> str:
    return in_virtual_time(lambda: told(handler, **options))


def returning(value: Any) -> Handler:
    async def handler(service: Any, command: BillOrder) -> Any:
        return value

    return handler


# --- what is returned ---


@pytest.mark.parametrize(
    "made",
    [PaymentDeclined(), RefundOrder(), durable_pb2.Undone(), durable_pb2.Fault(), saga_pb2.CancelSaga(), BillState()],
    ids=lambda made: type(made).__name__,
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_message_that_the_signature_does_not_name_is_not_sent(made: Any, beside: bool) -> None:
    said = outcome(returning(Answer(OrderBilled(order_id="ORD-1"), events=(made,)) if beside else made))
    assert f"the handler bill returned {made.DESCRIPTOR.full_name}, which its signature does not name " in said
    assert ("beside its answer: that says nothing" if beside else "as its answer: that says shop.OrderBilled") in said


@pytest.mark.parametrize(
    "value", ["billed", True, [OrderBilled()], OrderBilled, ValueError("lost"), ((OrderBilled(),),), (OrderBilled(),)]
)
def test_what_is_no_message_is_named(value: Any) -> None:
    assert "the handler bill returned a " in outcome(returning(value))


def test_a_client_is_told_the_answer_and_none_of_the_events_beside_it() -> None:
    class Warned(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> Answer[OrderBilled | None, PaymentDeclined]:
            told = OrderBilled(order_id="ORD-1") if command.amount_cents else None
            return Answer(told, events=(PaymentDeclined(order_id="ORD-1"),))

    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(Warned)]).start()
        for cents, told in ((1, OrderBilled(order_id="ORD-1")), (0, None)):
            outcome = await local.client.ask(BillOrder(order_id="ORD-1", amount_cents=cents), timeout=60.0)
            assert (outcome.message, outcome.fault) == (told, "")
        await local.stop()

    in_virtual_time(scenario)


async def tupled(self: Any, command: BillOrder) -> tuple[OrderBilled, PaymentDeclined]: ...  # type: ignore[empty-body]


async def among_others(self: Any, command: BillOrder) -> OrderBilled | tuple[OrderBilled, ...]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("handler", [tupled, among_others])
def test_a_tuple_is_refused_since_it_does_not_say_which_is_the_answer(handler: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Bad.bill returns a tuple, .*write Answer\[Paid, LimitReached\] and"):
        made("Bad", Service[BillState], {"bill": handler}, kind="billing")


def test_a_coroutine_that_was_not_awaited_is_named_and_nothing_else_complains() -> None:
    async def later() -> OrderBilled:
        return OrderBilled()

    async def handler(service: Any, command: BillOrder) -> Any:
        return later()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "returned a coroutine; a handler returns a message, an Answer or None; await" in outcome(handler)


def test_each_client_is_told_the_state_as_its_own_command_left_it() -> None:
    class ResultSales(Service[OrderState], kind="sales"):
        async def place(self, command: PlaceOrder) -> OrderState:
            self.state.amount_cents += command.amount_cents
            state: OrderState = self.state
            return state

    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(ResultSales)]).start()
        command = PlaceOrder(order_id="ORD-1", amount_cents=1)
        replies = await asyncio.gather(*[local.client.ask(command, timeout=60.0) for _ in range(4)])
        amounts = [reply.message.amount_cents for reply in replies if isinstance(reply.message, OrderState)]
        assert amounts == [1, 2, 3, 4]
        await local.stop()

    in_virtual_time(scenario)


def test_a_handler_that_sends_more_than_a_turn_can_number_has_failed() -> None:
    class FloodingHasFailed(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> Answer[None, RefundOrder]:
            return Answer(None, events=[RefundOrder(order_id="ORD-2")] * command.amount_cents)

    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(FloodingHasFailed)]).start()
        reply = await local.client.ask(BillOrder(order_id="ORD-1", amount_cents=SENT_MAX + 1), timeout=60.0)
        assert "one message leads to more than 32,768 others" in reply.fault
        assert await local.mail("billing", "ORD-2") == []
        await local.stop()

    in_virtual_time(scenario)


def test_what_one_actor_sends_stays_in_order_however_much_one_turn_sends() -> None:
    class FloodingTurnSends(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> Answer[None, RefundOrder]:
            return Answer(None, events=[RefundOrder(order_id="ORD-2")] * (SENT_MAX // 2 + 1))

    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(FloodingTurnSends)]).start()
        post = Post(local)
        await post.send(*[post.bill(amount) for amount in range(3)])
        await local.sleep(1.0)
        # Two fill a turn, so that the third has one of its own, and none has a number that the next turn gives again.
        assert (await local.row("billing", "ORD-1")).revision == 2
        await local.stop()

    in_virtual_time(scenario)


# --- what becomes of the state, and of the message ---


def test_a_state_that_was_put_in_the_place_of_the_old_one_is_kept() -> None:
    async def handler(service: Any, command: BillOrder) -> OrderBilled:
        service.state = BillState(charges=7)
        return OrderBilled(order_id="ORD-1")

    async def then(local: LocalNode) -> None:
        assert (await Post(local).state()).charges == 7

    outcome(handler, then=then)


@pytest.mark.parametrize("put", [None, "billed", OrderState()])
def test_what_is_no_state_is_not_put_in_its_place(put: Any) -> None:
    async def handler(service: Any, command: BillOrder) -> OrderBilled:
        service.state = put
        return OrderBilled(order_id="ORD-1")

    assert f"left self.state as a {type(put).__name__}; it is a BillState" in outcome(handler)


def test_a_second_run_gets_the_message_as_it_came() -> None:
    seen: list[int] = []

    async def handler(service: Any, command: BillOrder) -> OrderBilled:
        command.amount_cents += 1
        seen.append(command.amount_cents)
        raise RuntimeError("the till is jammed")

    outcome(handler)
    assert seen == [2, 2]


# --- timers ---


def setting(*timer: Any) -> Handler:
    async def handler(service: Any, command: BillOrder) -> OrderBilled:
        service.set_timer(*timer)
        return OrderBilled(order_id="ORD-1")

    return handler


NO_DELAYS: list[Any] = [math.nan, math.inf, -math.inf, "3", None, True, 1e12, 10**400, 10**5000, [3], 3j]


@pytest.mark.parametrize("delay_s", NO_DELAYS, ids=range(len(NO_DELAYS)))
def test_a_delay_that_is_no_number_of_seconds_is_refused_at_once(delay_s: Any) -> None:
    assert "InvalidMessage: the timer 'remind' is set for a delay of " in outcome(
        setting("remind", delay_s, BillOrder())
    )


@pytest.mark.parametrize("name", ["", None, 5, b"remind", "\ud800", "a\x00", "x" * 257, ("remind",)])
def test_a_name_that_no_timer_can_have_is_refused_at_once(name: Any) -> None:
    said = outcome(setting(name, 3.0, BillOrder(order_id="ORD-1")))
    assert "the name of a timer " in said or "a timer is known by a name" in said


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("remind", "would bring a str, which is no message"),
        (BillOrder, "would bring a MessageMeta, which is no message"),
        (OrderPlaced(), "would bring shop.OrderPlaced, and billing has no handler for it"),
        (mesh_pb2.Hello(), "would bring amends.Hello, and billing has no handler for it"),
        (None, "would bring amends.TimerFired, and billing has no handler for it"),
        (BillOrder(order_id="x" * 2_000_000), "the limit is 1,048,576"),
    ],
)
def test_what_a_timer_could_never_bring_is_refused_at_once(message: Any, why: str) -> None:
    assert why in outcome(setting("remind", 3.0, message))


# --- reactions ---


def bill_oddly(event: OrderPlaced) -> BillOrder:
    made: BillOrder = Odd.made(event)
    return made


class Odd(Choreography, name="odd"):
    starts = on(OrderPlaced)
    reactions = (on(OrderPlaced, bill_oddly),)
    made: Callable[[OrderPlaced], Any] = staticmethod(lambda event: None)


class ResultBilling(Service[BillState], kind="billing", retries=RetryPolicy(immediate=0, delays=())):
    async def bill(self, command: BillOrder) -> OrderBilled:
        return OrderBilled(order_id=command.order_id)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        return OrderRefunded(order_id=command.order_id)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("bill", "the reaction of billing to shop.OrderPlaced made a str, not a shop.BillOrder"),
        (RefundOrder(order_id="ORD-1"), "made a RefundOrder, not a shop.BillOrder"),
        (BillOrder(order_id="ORD-2"), "made a shop.BillOrder for the key 'ORD-2', and it is the actor 'ORD-1'"),
        (BillOrder(), "shop.BillOrder needs a key"),
    ],
)
def test_a_reaction_makes_the_command_that_it_says_for_the_actor_that_got_the_event(
    made: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Odd, "made", staticmethod(lambda event: made))

    async def scenario() -> None:
        reactions: tuple[Reaction, ...] = Odd.compiled
        local = await LocalNode([ServiceBehaviour(ResultBilling, reactions)]).start()
        post = Post(local)
        event = post._envelope(OrderPlaced(order_id="ORD-1"), {"process": "odd"})
        await post.send(event)
        await local.sleep(5.0)
        (row,) = await local.mail("billing", "ORD-1")
        assert why in row.parked
        await local.stop()

    run: Coroutine[Any, Any, None] = scenario()

    async def wrapped() -> None:
        await run

    in_virtual_time(wrapped)
