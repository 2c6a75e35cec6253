"""What no part can see alone is refused when the parts are put together."""

from __future__ import annotations

import re
from typing import Any

import pytest

from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import Order, OrderProcessState
from protos.sales_pb2 import (
    CHOREOGRAPHY,
    ORCHESTRATION,
    CancelOrder,
    MarkReadyToShip,
    OrderCancelled,
    OrderPlaced,
    OrderReadyToShip,
    OrderState,
    PlaceOrder,
)
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    StockState,
    VoidShippingLabel,
)
from runtime.durable.kind import Subscribers
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durations import seconds
from runtime.errors import InvalidDefinition, InvalidSettings
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.flow_map import draw_flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.store.records import Subscription
from tests.unit.saga.made import made, of_state
from tests.unit.saga.shop import ShopProcess, begin, bill_order, refund_order
from tests.unit.saga.test_choreography import ShopChoreography, bill

CONTRACTS = (sales_pb2, billing_pb2, warehouse_pb2, orders_pb2)


class SalesAgain(Service[OrderState], kind="sales"):
    async def place(self, command: PlaceOrder) -> OrderPlaced:
        return OrderPlaced(order_id=command.order_id)

    async def close(self, command: MarkReadyToShip) -> OrderReadyToShip:
        return OrderReadyToShip(order_id=command.order_id)

    async def cancel(self, command: CancelOrder) -> OrderCancelled:
        return OrderCancelled(order_id=command.order_id)


class BillingAgain(Service[BillState], kind="billing"):
    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        return OrderBilled(order_id=command.order_id)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        return OrderRefunded(order_id=command.order_id)


class WarehouseAgain(Service[StockState], kind="warehouse"):
    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        return ShippingLabelCreated(order_id=command.order_id)

    async def void(self, command: VoidShippingLabel) -> ShippingLabelVoided:
        return ShippingLabelVoided(order_id=command.order_id)


SERVICES: dict[str, list[Any]] = {
    "sales": [SalesAgain],
    "billing": [BillingAgain],
    "warehouse": [WarehouseAgain],
    "orchestration": [ShopProcess],
}


def catalogue(**changed: Any) -> Catalogue:
    parts = {"contracts": CONTRACTS, "services": SERVICES, "choreographies": [ShopChoreography], **changed}
    return Catalogue(**parts)


def a_process(step: Step, **options: Any) -> type[Any]:
    started = options.pop("started_by", on(OrderPlaced, begin, where={"flow": ORCHESTRATION}))
    kind = options.pop("kind", "a-process")
    return made(
        "AProcess",
        of_state(Saga, options.pop("state")),
        {"started_by": started, "bill": step, "flow": step},
        kind=kind,
        **options,
    )


def a_step(**changed: Any) -> Step:
    declared = {"do": bill_order, "done": OrderBilled, "refused": PaymentDeclined, "timeout": seconds(1)}
    if "undo" not in changed:
        declared["no_undo"] = "what it does may stay"
    return Step(**{**declared, **changed})


def test_a_node_hosts_the_behaviours_of_the_services_it_is_launched_with() -> None:
    whole = catalogue()
    assert whole.service_names == ("sales", "billing", "warehouse", "orchestration")
    assert [one.kind for one in whole.behaviours_of(["billing", "orchestration"])] == ["billing", "order-process"]
    assert [one.kind for one in whole.behaviours_of([])] == ["sales", "billing", "warehouse", "order-process"]
    assert [one.kind for one in whole.behaviours_of(["sales", "sales"])] == ["sales"]


def test_an_unknown_service_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidSettings, match="there is no service 'shipping'; there are sales, billing, warehouse"):
        catalogue().behaviours_of(["sales", "shipping"])


def test_services_get_the_reactions_of_their_kind_and_sagas_their_start() -> None:
    by_kind = {one.kind: one for one in catalogue().behaviours}
    billing = by_kind["billing"]
    assert isinstance(billing, ServiceBehaviour)
    assert [one.event_type for one in billing.reactions] == [OrderPlaced, BackOrdered]
    assert isinstance(by_kind["order-process"], SagaBehaviour)
    assert {(one.event_type, one.kind, one.process) for one in catalogue().subscriptions} == {
        ("shop.OrderPlaced", "order-process", "order-process"),
        ("shop.OrderPlaced", "billing", "order-choreography"),
        ("shop.OrderBilled", "warehouse", "order-choreography"),
        ("shop.BackOrdered", "billing", "order-choreography"),
    }


def test_the_contracts_of_the_runtime_itself_are_known() -> None:
    contracts = catalogue().contracts
    assert contracts.named("amends.SagaRecord").message_type is SagaBehaviour.state_type
    assert contracts.named("amends.CancelSaga").name == "amends.CancelSaga"


def test_two_catalogues_share_nothing() -> None:
    one, other = catalogue(), catalogue()
    assert not {id(behaviour) for behaviour in one.behaviours} & {id(behaviour) for behaviour in other.behaviours}


class DoubleStart(Choreography, name="double-start"):
    starts = on(OrderPlaced, where={"flow": ORCHESTRATION})
    reactions = (on(OrderPlaced, bill),)


class AnyStart(Choreography, name="any-start"):
    starts = on(OrderPlaced)
    reactions = (on(OrderPlaced, bill),)
    ends = (OrderBilled, PaymentDeclined)


class OtherField(Choreography, name="other-field"):
    starts = on(OrderPlaced, where={"amount_cents": 0})
    reactions = (on(OrderPlaced, bill),)


@pytest.mark.parametrize("second", [DoubleStart, AnyStart, OtherField])
def test_s17_two_processes_that_one_event_could_start_are_refused(second: type[Choreography]) -> None:
    with pytest.raises(InvalidDefinition, match=f"ShopProcess and {second.__name__} would both be started by one"):
        catalogue(choreographies=[second])


def test_two_processes_that_are_told_apart_by_one_field_are_accepted() -> None:
    assert ShopChoreography.starts.where == {"flow": CHOREOGRAPHY}
    catalogue()


def test_s17_a_command_that_nobody_handles_is_refused() -> None:
    class Charging(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
            return OrderBilled(order_id=command.order_id)

    with pytest.raises(InvalidDefinition, match=r"ShopProcess.bill.undo: billing has no handler for shop.RefundOrder"):
        catalogue(services={**SERVICES, "billing": [Charging]}, choreographies=[])


def test_s17_a_kind_that_is_not_hosted_is_refused() -> None:
    with pytest.raises(
        InvalidDefinition, match=r"ShopProcess.bill: shop.BillOrder goes to billing, a kind that is not hosted"
    ):
        catalogue(services={"sales": [SalesAgain], "orchestration": [ShopProcess]}, choreographies=[])


def test_s17_a_reaction_to_a_kind_that_is_not_hosted_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"ShopChoreography: on shop.OrderPlaced: shop.BillOrder goes to"):
        catalogue(services={"sales": [SalesAgain]})


def test_s17_a_command_outside_the_contracts_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"shop.BillOrder is in none of the catalogue's contracts"):
        catalogue(contracts=(sales_pb2, warehouse_pb2, orders_pb2))


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (
            a_step(done=(OrderBilled, OrderReadyToShip)),
            r"AProcess.bill: shop.OrderReadyToShip can never come, for billing's bill\(shop.BillOrder\) returns "
            r"shop.OrderBilled, shop.PaymentDeclined",
        ),
        (a_step(refused=(PaymentDeclined, BackOrdered)), r"AProcess.bill: shop.BackOrdered can never come"),
        (
            a_step(undo=refund_order, undone=OrderCancelled),
            r"AProcess.bill.undo: shop.OrderCancelled can never come, for billing's refund",
        ),
        (
            a_step(refused=()),
            r"AProcess.bill: shop.BillOrder may be answered with shop.PaymentDeclined, which the step",
        ),
    ],
)
def test_s17_outcomes_have_to_be_those_of_the_commands_handler(step: Step, complaint: str) -> None:
    process = a_process(step, state=OrderProcessState)
    with pytest.raises(InvalidDefinition, match=complaint):
        catalogue(services={**SERVICES, "orchestration": [process]})


def test_an_outcome_that_is_ignored_on_purpose_is_accepted() -> None:
    process = a_process(a_step(refused=(), ignores=PaymentDeclined), state=OrderProcessState)
    catalogue(services={**SERVICES, "orchestration": [process]})


def test_s17_two_kinds_or_processes_of_one_name_are_refused() -> None:
    class Selling(Service[OrderState], kind="sales"):
        async def place(self, command: PlaceOrder) -> OrderPlaced:
            return OrderPlaced(order_id=command.order_id)

    with pytest.raises(InvalidDefinition, match="SalesAgain and Selling are both named 'sales'"):
        catalogue(services={**SERVICES, "selling": [Selling]})
    with pytest.raises(InvalidDefinition, match="WarehouseAgain and Stock are both named 'warehouse'"):
        stock: Any = type(
            "Stock",
            (Choreography,),
            {"starts": on(OrderPlaced, where={"flow": CHOREOGRAPHY}), "reactions": (on(OrderPlaced, bill),)},
            name="warehouse",
        )
        catalogue(choreographies=[stock])


def test_one_kind_may_be_hosted_by_two_services() -> None:
    whole = catalogue(services={**SERVICES, "everything": [SalesAgain, BillingAgain]})
    assert [one.kind for one in whole.behaviours_of(["everything", "billing"])] == ["sales", "billing"]


def begin_order(event: OrderCancelled) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id)


def begin_apart(event: OrderCancelled) -> Order:
    return Order(order_id=event.order_id)


def bill_apart(state: Order) -> BillOrder:
    return BillOrder(order_id=state.order_id)


def test_s17_state_shared_by_two_sagas_is_refused() -> None:
    sharing = a_process(a_step(), state=OrderProcessState, started_by=on(OrderCancelled, begin_order))
    with pytest.raises(InvalidDefinition, match=r"ShopProcess and AProcess share the state shop.OrderProcessState"):
        catalogue(services={**SERVICES, "more": [sharing]})


def test_s14_two_sagas_with_states_of_their_own_are_accepted() -> None:
    apart = a_process(a_step(do=bill_apart), state=Order, started_by=on(OrderCancelled, begin_apart))
    whole = catalogue(services={**SERVICES, "more": [apart]}, unstarted={"order-process": [OrderCancelled]})
    assert len(whole.sagas) == 2


def test_two_processes_that_one_event_starts_are_named_or_refused_with_the_cure() -> None:
    cure = re.escape("Catalogue(..., several={OrderPlaced: ('order-process', 'any-start')})")
    with pytest.raises(InvalidDefinition, match=cure):
        catalogue(choreographies=[AnyStart])
    named = catalogue(choreographies=[AnyStart], several={OrderPlaced: ("order-process", "any-start")})
    assert dict(named.several) == {OrderPlaced: ("order-process", "any-start")}


@pytest.mark.parametrize(
    ("several", "complaint"),
    [
        (
            {OrderPlaced: ("order-process", "any-start", "nobody")},
            "several: shop.OrderPlaced starts no 'nobody'; it starts any-start, o",
        ),
        ({OrderPlaced: ("order-process",)}, "several[OrderPlaced]: it starts two processes or more; name each once"),
        ({OrderPlaced: ("any-start", "any-start")}, "several[OrderPlaced]: it starts two processes or more"),
        ({OrderPlaced: {"any-start", "order-process"}}, "several[OrderPlaced]: a set has no order, and the first"),
        ({OrderPlaced: "order-process"}, "several[OrderPlaced]: 'order-process' is not several names of processes"),
        ({"OrderPlaced": ("order-process", "any-start")}, "several: 'OrderPlaced' is no message type"),
        (("order-process", "any-start"), "several: ('order-process', 'any-start') is not processes by event"),
    ],
)
def test_what_is_named_to_start_by_one_event_in_vain_is_refused(several: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=re.escape(complaint)):
        catalogue(choreographies=[AnyStart], several=several)


def test_a_drawing_says_which_process_begins_in_a_conversation_of_its_own() -> None:
    told = catalogue(choreographies=[AnyStart], several={OrderPlaced: ("any-start", "order-process")})
    assert "OrderPlaced, starts in a conversation of its own" in draw_flow(told)


def test_processes_of_which_a_build_knows_only_by_the_store_have_their_place_by_name() -> None:
    wanted = [Subscription("shop.OrderPlaced", one, "order_id", one, True) for one in ("c", "a", "b")]
    assert list(Subscribers(wanted).apart("shop.OrderPlaced", wanted)) == ["b", "c"]
    declared = Subscribers(wanted, several=[("shop.OrderPlaced", ("b", "gone"))])
    assert list(declared.apart("shop.OrderPlaced", wanted)) == ["a", "c"]
    assert list(declared.apart("shop.OrderPlaced", wanted[:1])) == []
