"""Mistakes that would only be seen in a running process, or by nobody, are refused as the class is made, by place."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderPlaced
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.durations import SPAN_MAX_S
from runtime.envelope import is_instant
from runtime.errors import InvalidDefinition
from runtime.protos import durable_pb2
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from runtime.saga.step import Budget, Step
from tests.unit.saga.made import made, of_state
from tests.unit.saga.shop import begin, cancel_order
from tests.unit.saga.test_checks import bill, define, one

NO_SPANS = [1e12, float("nan"), float("inf"), -1.0, True, "30", 10**400]


def test_a_hundred_years_can_be_added_to_any_clock() -> None:
    assert is_instant(4e9 + SPAN_MAX_S)
    one(bill(timeout=SPAN_MAX_S, budget=Budget(backoff_max=SPAN_MAX_S)), deadline=SPAN_MAX_S)


@pytest.mark.parametrize("seconds", NO_SPANS)
def test_a_span_that_no_clock_can_reach_is_refused_wherever_it_stands(seconds: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a step needs a finite timeout"):
        one(bill(timeout=seconds))
    with pytest.raises(InvalidDefinition, match=r"saga Wrong: a deadline is finite"):
        one(bill(), deadline=seconds)
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a budget needs"):
        one(bill(budget=Budget(backoff=seconds)))
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a budget needs"):
        one(bill(budget=Budget(backoff_max=seconds)))
    if seconds is not None:
        with pytest.raises(InvalidDefinition, match=r"Wrong.closing: a step needs a finite timeout"):
            one(bill(), closing=Step(cancel_order, done=OrderCancelled, timeout=seconds))
    with pytest.raises(InvalidDefinition, match=r"service Bad: each of retries.delays"):
        serve(good, retries=RetryPolicy(delays=(seconds,)))
    with pytest.raises(InvalidDefinition, match=r"service Bad: handler_timeout"):
        serve(good, handler_timeout=seconds)
    with pytest.raises(InvalidDefinition, match=r"service Bad: handler_timeout"):
        serve(good, retries=RetryPolicy(handler_timeout=seconds))


@pytest.mark.parametrize("asks", [0, -1, True, 1.5, float("nan"), float("inf"), 10**9, "3"])
def test_a_budget_counts_in_whole_numbers(asks: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a budget needs at least 1 ask"):
        one(bill(budget=Budget(asks_max=asks)))


@pytest.mark.parametrize(
    "retries", [5, RetryPolicy(immediate=-1), RetryPolicy(jitter=2.0), RetryPolicy(jitter=float("nan"))]
)
def test_retries_that_cannot_be_made_are_refused(retries: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"service Bad: retries"):
        serve(good, retries=retries)


@pytest.mark.parametrize("budget", [None, 3])
def test_what_is_no_budget_is_refused(budget: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a budget is a Budget"):
        one(bill(budget=budget))


# --- messages ---


def begin_with_fault(event: durable_pb2.Fault) -> OrderProcessState:
    return OrderProcessState()


@pytest.mark.parametrize("unsuitable", [Message, int, "OrderPlaced", None, OrderPlaced()])
def test_what_is_no_message_type_is_refused_wherever_it_stands(unsuitable: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.started_by: .* is no message type"):
        one(bill(), started_by=on(unsuitable, begin))
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: .* is no message type"):
        one(bill(done=unsuitable))
    with pytest.raises(InvalidDefinition, match=r"saga Wrong needs a protobuf message as its state"):
        one(bill(), state=unsuitable)
    with pytest.raises(InvalidDefinition, match=r"service Bad needs a protobuf message as its state"):
        made("Bad", of_state(Service, unsuitable), {"bill": good}, kind="billing")
    with pytest.raises(InvalidDefinition, match=r"Odd.starts: .* is no message type"):
        type("Odd", (Choreography,), {"starts": on(unsuitable)}, name="odd")
    with pytest.raises(InvalidDefinition, match=r"Odd.reactions: .* is no message type"):
        type("Odd", (Choreography,), {"starts": on(OrderPlaced), "reactions": (on(unsuitable, react),)}, name="odd")


def test_a_saga_is_not_started_by_what_only_the_runtime_sends() -> None:
    with pytest.raises(InvalidDefinition, match=r"amends.Fault is the runtime's own"):
        one(bill(), started_by=on(durable_pb2.Fault, begin_with_fault, key="error"))


@pytest.mark.parametrize("wrong", [5, "flow", ["flow"]])
def test_a_condition_that_is_no_mapping_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"where is a field's name and its value"):
        on(OrderPlaced, begin, where=wrong)


# --- a saga's functions ---


def react(event: OrderPlaced) -> BillOrder:
    return BillOrder()


async def asked(state: OrderProcessState) -> BillOrder:
    return BillOrder()


def yielded(state: OrderProcessState) -> Iterator[BillOrder]:
    yield BillOrder()


async def keep_later(state: OrderProcessState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def keep_alone(event: OrderBilled) -> None:
    return None


def keep_more(state: OrderProcessState, more: int, event: OrderBilled) -> None:
    return None


async def begin_later(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState()


def begin_more(state: OrderProcessState, event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState()


async def react_later(event: OrderPlaced) -> BillOrder:
    return BillOrder()


class Called:
    async def __call__(self, state: OrderProcessState) -> BillOrder:
        return BillOrder()


@pytest.mark.parametrize("function", [asked, yielded, Called()])
def test_a_command_is_computed_not_awaited(function: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill.do: .* is async, or a generator"):
        one(bill(do=function))


@pytest.mark.parametrize(
    ("keep", "complaint"),
    [(keep_later, "is async"), (keep_alone, "takes the state and the answer"), (keep_more, "takes the state and the")],
)
def test_a_keep_that_could_not_be_called_is_refused(keep: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Wrong.bill.on_answer: keep_\w+ {complaint}"):
        one(bill(on_answer=keep))


@pytest.mark.parametrize("function", [begin_later, begin_more, None])
def test_a_begin_that_could_not_be_called_is_refused(function: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.started_by: "):
        one(bill(), started_by=on(OrderPlaced, function))


def test_closing_commands_and_reactions_are_computed_as_well() -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.closing.do: asked is async"):
        define(bill=(step := bill()), flow=step, closing=Step(cast(Any, asked), done=OrderBilled))
    with pytest.raises(InvalidDefinition, match=r"Odd: on OrderPlaced: react_later is async"):
        body = {"starts": on(OrderPlaced), "reactions": (on(OrderPlaced, cast(Any, react_later)),)}
        type("Odd", (Choreography,), body, name="odd")


# --- handlers ---


async def good(self: Any, command: BillOrder) -> OrderBilled:
    return OrderBilled()


def serve(handler: Any, name: str = "bill", **options: Any) -> type[Any]:
    """A service named Bad of this handler and a good one."""
    body = {name: handler} if handler is good else {name: handler, "other": other}
    return made("Bad", Service[BillState], body, kind="billing", **options)


async def other(self: Any, event: OrderPlaced) -> None:
    return None


def plain(self: Any, command: BillOrder) -> OrderBilled:
    return OrderBilled()


def plain_unannotated(self, command):  # type: ignore[no-untyped-def]
    return OrderBilled()


def awaitable(self: Any, command: BillOrder | None) -> Any:
    return good(self, BillOrder())


async def streaming(self: Any, command: BillOrder) -> AsyncIterator[OrderBilled]:
    yield OrderBilled()


async def by_name(self: Any, *, command: BillOrder) -> OrderBilled:
    return OrderBilled()


async def several(self: Any, *command: BillOrder) -> OrderBilled:
    return OrderBilled()


async def of_any(self: Any, command: Message) -> OrderBilled:
    return OrderBilled()


async def unannotated(self, command):  # type: ignore[no-untyped-def]
    return OrderBilled()


async def returns_nothing_said(self, command: BillOrder):  # type: ignore[no-untyped-def]
    return OrderBilled()


async def returns_any_message(self: Any, command: BillOrder) -> Message:
    return OrderBilled()


async def without_self(command: BillOrder) -> OrderBilled:
    return OrderBilled()


async def static(command: BillOrder) -> OrderBilled:
    return OrderBilled()


async def unreadable(self: Any, command: NoSuchType) -> OrderBilled:  # type: ignore[name-defined]  # noqa: F821
    return OrderBilled()


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return run


def decorated_bare(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args, **named):  # type: ignore[no-untyped-def]
        return function(*args, **named)

    return run


@pytest.mark.parametrize(
    "handler",
    [
        plain,
        plain_unannotated,
        awaitable,
        streaming,
        by_name,
        several,
        of_any,
        unannotated,
        returns_nothing_said,
        returns_any_message,
        without_self,
        unreadable,
        staticmethod(static),
        staticmethod(without_self),
        classmethod(good),
        classmethod(plain),
        decorated(good),
        decorated_bare(good),
        functools.partialmethod(good),
        functools.partial(good, None),
        functools.cache(plain),
        functools.singledispatchmethod(plain),
    ],
)
def test_what_was_meant_as_a_handler_and_is_none_is_refused_by_name(handler: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^Bad.bill[ :]"):
        serve(handler)


@pytest.mark.parametrize("name", ["kind", "retries", "state", "key", "handlers", "set_timer", "of"])
def test_a_handler_may_not_take_the_name_of_what_every_service_has(name: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Bad.{name}: every service has something of this name"):
        serve(good, name)


def test_helpers_stay_helpers() -> None:
    class Fine(Service[BillState], kind="billing"):
        limit = 5
        inner = RetryPolicy
        price = staticmethod(len)

        @property
        def total(self) -> int:
            return 1

        def count(self, more: int) -> int:
            return more

        def both(self, command: BillOrder, more: int) -> int:
            return more

        def _plain(self, command: BillOrder) -> OrderBilled:
            return OrderBilled(order_id=command.order_id)

        async def bill(self, command: BillOrder) -> OrderBilled:
            return self._plain(command)

    assert list(Fine.handlers) == ["shop.BillOrder"]
    service = Fine.of(key="ORD-1")
    assert asyncio.run(service.bill(BillOrder(order_id="ORD-1"))) == OrderBilled(order_id="ORD-1")
