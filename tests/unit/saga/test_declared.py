"""Classes of sagas and services as Python lets one write them: what would be lost, or could never run, is refused."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Generic, Protocol, TypeVar

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.choreography import Choreography
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from tests.unit.saga.made import made
from tests.unit.saga.shop import begin, bill_order
from tests.unit.saga.test_checks import STARTED, bill, close, define, one
from tests.unit.saga.test_mistakes import good, react, serve

T = TypeVar("T")


class Described(ABC):
    @classmethod
    @abstractmethod
    def description(cls) -> str: ...


class HasPrice(Protocol):
    def price(self) -> int: ...


class Boxed(Generic[T]):
    def box(self, thing: T) -> list[T]:
        return [thing]


# --- what a class may inherit from ---


def test_a_saga_is_an_abc_a_protocol_and_generic_as_well() -> None:
    class TripAsWell(Saga[OrderProcessState], Described, HasPrice, Boxed[int], kind="trip"):
        started_by = STARTED
        pay = bill()
        flow = pay

        @classmethod
        def description(cls) -> str:
            return "a trip"

    assert issubclass(TripAsWell, Described)
    assert [step.name for step in TripAsWell.definition.steps] == ["pay"]


def test_a_service_is_an_abc_a_protocol_and_generic_as_well() -> None:
    class BillingAsWell(Service[BillState], Described, HasPrice, Boxed[int], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            return OrderBilled(order_id=command.order_id)

        @classmethod
        def description(cls) -> str:
            return "billing"

        def price(self) -> int:
            return 1

    assert list(BillingAsWell.handlers) == ["shop.BillOrder"]
    assert BillingAsWell.of().box(1) == [1]


def test_a_service_that_leaves_something_abstract_could_never_be_made() -> None:
    with pytest.raises(InvalidDefinition, match=r"service BillingBeMade has no description, so that no message could"):

        class BillingBeMade(Service[BillState], Described, kind="billing"):
            async def bill(self, command: BillOrder) -> OrderBilled:
                return OrderBilled()


# --- the type of the state, written once ---


@pytest.mark.parametrize("base", [Saga[OrderProcessState], Service[BillState]])
def test_a_state_beside_the_type_argument_is_refused_with_the_cure(base: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Bad: write the type of the state once, in brackets .*Service\[Some"):
        made("Bad", base, {}, kind="billing", state=BillState)


@pytest.mark.parametrize("base", [Saga, Service])
def test_a_base_without_the_type_of_its_state_is_refused_with_the_cure(base: Any) -> None:
    cure = rf"Bad needs the type of its state, a protobuf message: class Bad\({base.__name__}\[SomeState\], kind="
    with pytest.raises(InvalidDefinition, match=cure):
        made("Bad", base, {}, kind="billing")


def test_a_class_derived_from_a_service_has_its_state() -> None:
    class DeclaredTill(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            self.state.amount_cents = 5
            return OrderBilled()

    class Strict(DeclaredTill, kind="billing"):
        pass

    assert Strict.state_type is BillState
    assert Strict.of().state == BillState()


# --- one name for two ---


def test_a_step_that_is_there_twice_is_refused_and_not_lost() -> None:
    with pytest.raises(InvalidDefinition, match=r"TripNotLost.pay is there twice, so that the first would be lost"):

        class TripNotLost(Saga[OrderProcessState], kind="trip"):
            started_by = STARTED
            pay = bill()
            first = pay
            pay = bill()  # noqa: PIE794
            flow = first >> pay


def test_a_step_that_a_function_hides_is_refused_and_not_lost() -> None:
    with pytest.raises(InvalidDefinition, match=r"TripKept.pay is there twice"):

        class TripKept(Saga[OrderProcessState], kind="trip"):
            started_by = STARTED
            pay = bill()
            flow = pay

            def pay(state: OrderProcessState) -> BillOrder:  # type: ignore[no-redef, misc]  # noqa: N805
                return BillOrder()


def test_a_handler_that_is_there_twice_is_refused_and_not_lost() -> None:
    with pytest.raises(InvalidDefinition, match=r"BillingNotLost.bill is there twice, so that the first would be lost"):

        class BillingNotLost(Service[BillState], kind="billing"):
            async def bill(self, command: BillOrder) -> OrderBilled:
                return OrderBilled()

            async def bill(self, command: RefundOrder) -> OrderRefunded:  # type: ignore[no-redef]  # noqa: F811
                return OrderRefunded()


def test_a_handler_that_is_decorated_by_its_own_name_is_one() -> None:
    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run(*args: Any) -> Any:
            return await function(*args)

        return run

    class BillingIsOne(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            return OrderBilled()

        bill = noted(bill)

    assert list(BillingIsOne.handlers) == ["shop.BillOrder"]


@pytest.mark.parametrize("name", ["definition", "kind", "state_type", "started_by", "with_steps", "_abc_impl"])
def test_a_step_may_not_take_the_name_of_what_every_saga_has(name: str) -> None:
    step = bill()
    body = {"started_by": STARTED, "flow": step, name: step}
    with pytest.raises(InvalidDefinition, match=rf"Wrong.{name}: every saga has something of this name"):
        made("Wrong", Saga[OrderProcessState], body, kind="wrong")


@pytest.mark.parametrize(
    ("base", "options", "known"),
    [
        (Saga[OrderProcessState], {"kind": "x"}, "kind, formerly, deadline, undo and history"),
        (Service[BillState], {"kind": "billing"}, "kind, formerly, retries, handler_timeout and effects"),
        (Choreography, {"name": "x"}, "name and deadline"),
    ],
)
def test_an_option_that_there_is_not_is_named_with_those_there_are(
    base: Any, options: dict[str, Any], known: str
) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Bad: there is no option 'timeout' .*; there are {known}$"):
        made("Bad", base, {}, timeout=3, **options)


NO_KINDS = [None, 5, b"x", "", "a/b", " x", "x ", "a\x00b", "a\nb", "\ud800", "x" * 257]


@pytest.mark.parametrize("kind", NO_KINDS, ids=range(len(NO_KINDS)))
def test_a_kind_that_cannot_be_written_is_refused_wherever_it_stands(kind: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"saga Wrong needs a kind"):
        one(bill(), kind=kind)
    with pytest.raises(InvalidDefinition, match=r"service Bad needs a kind"):
        made("Bad", Service[BillState], {"bill": good}, kind=kind)
    if kind != "a/b":
        body = {"starts": on(OrderPlaced), "reactions": (on(OrderPlaced, react),)}
        with pytest.raises(InvalidDefinition, match=r"choreography Odd needs"):
            type("Odd", (Choreography,), body, name=kind)


# --- functions ---


def bill_in(state: OrderProcessState, currency: str = "EUR") -> BillOrder:
    return BillOrder()


def bill_often(state: OrderProcessState, times: int) -> BillOrder:
    return BillOrder()


def bill_why(state: OrderProcessState, reason: str = "") -> BillOrder:
    return BillOrder()


class Methods:
    def bill(self, state: OrderProcessState) -> BillOrder:
        return BillOrder()

    def bill_bare(self, state) -> BillOrder:  # type: ignore[no-untyped-def]
        return BillOrder()

    def __call__(self, state: OrderProcessState) -> BillOrder:
        return BillOrder()

    async def later(self, state: OrderProcessState) -> BillOrder:
        return BillOrder()


@functools.wraps(Methods.later)
def around(*args: Any) -> Any:
    return Methods.later(*args)


@pytest.mark.parametrize(
    ("do", "complaint"),
    [
        (bill_in, r"bill_in would be given the reason .* as its second parameter 'currency'"),
        (bill_often, r"bill_often would be given the reason .* as its second parameter 'times'"),
        (Methods.bill, r"bill is written as a method, and is given the state as self"),
        (Methods.bill_bare, r"bill_bare is written as a method"),
        (Methods(), r"a Methods is no plain function"),
        (functools.partial(bill_order), r"a partial of bill_order is no plain function"),
        (functools.cache(bill_order), r"bill_order is cached, and no message can be looked up"),
        (around, r"later is async, or a generator"),
    ],
)
def test_a_function_that_could_not_be_called_as_it_was_meant_is_refused(do: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Wrong.bill.do: {complaint}"):
        one(bill(do=do))


def annotated(state: Annotated[OrderProcessState, "as kept"]) -> Annotated[BillOrder, "to send"]:
    return BillOrder()


@pytest.mark.parametrize("do", [bill_why, Methods().bill, annotated, staticmethod(bill_order)])
def test_a_function_that_can_be_is_fine(do: Any) -> None:
    assert one(bill(do=do))


@pytest.mark.parametrize("key", [5, ("order_id",), b"order_id", lambda event: event.order_id])
def test_a_key_that_is_no_path_is_refused(key: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.started_by: key is the dotted name of a field of the event"):
        one(bill(), started_by=on(OrderPlaced, begin, key=key))


# --- flows ---


@pytest.mark.parametrize("other", ["ship", None, [1], bill_order])
def test_a_flow_joins_only_steps(other: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"a flow joins steps by >>"):
        bill() >> other
    with pytest.raises(InvalidDefinition, match=r"Wrong.flow holds what is no step"):
        define(bill=(step := bill()), flow=Flow((step, other)))


def test_steps_that_wait_for_each_other_are_refused() -> None:
    first, last = bill(), close()
    with pytest.raises(InvalidDefinition, match=r"Wrong.flow: none of first, last could ever begin"):
        define(first=first, last=last, flow=Flow((first, last), ((first, last), (last, first))))
    with pytest.raises(InvalidDefinition, match=r"Wrong.flow: none of first could ever begin"):
        define(first=first, flow=Flow((first,), ((first, first),)))
    with pytest.raises(InvalidDefinition, match=r"Wrong.flow: a step waits for one that is not in the flow"):
        define(first=first, flow=Flow((first,), ((last, first),)))


@pytest.mark.parametrize("pivot", [1, "no", None])
def test_a_pivot_is_said_by_true_or_false(pivot: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: pivot is True or False"):
        one(bill(pivot=pivot))


# --- messages and numbers ---


@pytest.mark.parametrize("answer", [durable_pb2.Fault, durable_pb2.Undone, saga_pb2.CancelAccepted])
@pytest.mark.parametrize("meaning", ["done", "refused", "ignores"])
def test_a_step_is_not_answered_by_what_only_the_runtime_sends(answer: Any, meaning: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: amends.\w+ is the runtime's own"):
        one(bill(**{meaning: answer}))


async def forge(self: Any, command: BillOrder) -> OrderBilled | durable_pb2.Undone:
    return OrderBilled()


async def take_fault(self: Any, fault: durable_pb2.Fault) -> None:
    return None


@pytest.mark.parametrize("handler", [forge, take_fault])
def test_a_handler_neither_takes_nor_returns_what_only_the_runtime_sends(handler: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Bad.bill: amends.\w+ is the runtime's own"):
        serve(handler)


def test_what_is_no_type_is_named_with_the_cure() -> None:
    with pytest.raises(InvalidDefinition, match=r"an object of shop.OrderBilled is no message type; name its class"):
        one(bill(done=OrderBilled()))
    for several in ([OrderBilled], {OrderBilled}, OrderBilled | OrderRefunded):
        with pytest.raises(InvalidDefinition, match=r"is no message type; several stand in a tuple"):
            one(bill(done=several))


@pytest.mark.parametrize("retries", [0, False, {}, ""])
def test_what_is_nothing_is_no_policy_either(retries: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"service Bad: retries are a RetryPolicy"):
        serve(good, retries=retries)


def test_runs_at_once_are_bounded() -> None:
    with pytest.raises(InvalidDefinition, match=r"retries.immediate is how often it runs again at once, not 1001"):
        serve(good, retries=RetryPolicy(immediate=1001))
