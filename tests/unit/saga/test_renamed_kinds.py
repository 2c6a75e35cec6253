"""A catalogue whose kinds have other names now: every address that it makes has the name that the store knows."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderLine, OrderPlaced
from runtime.contracts import Contracts
from runtime.durations import days
from runtime.errors import InvalidDefinition
from runtime.kind_names import KindNames
from runtime.protos import contract_pb2
from runtime.saga.addressed import addressed
from runtime.saga.awaiting import Await
from runtime.saga.carrying import renames
from runtime.saga.catalogue import Catalogue
from runtime.saga.each import Each
from runtime.saga.first_of import FirstOf
from runtime.saga.flow_map import flow_of
from runtime.saga.joinable import parties_of
from runtime.saga.on import on
from runtime.saga.pauses import Pauses
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.variation import varied
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import ShopProcess
from tests.unit.saga.test_catalogue import SERVICES, BillingAgain, SalesAgain, WarehouseAgain, catalogue
from tests.unit.saga.test_choreography import ShopChoreography
from tests.unit.saga.test_nodes import bill, saga


def service(base: type[Any], kind: str, *formerly: str) -> type[Any]:
    return made(base.__name__, base, {}, kind=kind, formerly=formerly)


def process(kind: str, *formerly: str, **more: Any) -> type[Saga[OrderProcessState]]:
    body = {**varied(ShopProcess, {}), **more}
    return made("ShopProcess", ShopProcess, body, kind=kind, formerly=formerly, deadline=600.0)


def calling(found: type[Saga[Any]], **names: str) -> type[Saga[Any]]:
    """The saga, as it is where the contracts of its commands name these kinds instead."""
    found.definition = addressed(found.definition, KindNames([(new, old) for old, new in names.items()]))
    return found


INVOICING = service(BillingAgain, "invoicing", "billing")
RENAMED = {
    "sales": [SalesAgain],
    "billing": [INVOICING],
    "warehouse": [WarehouseAgain],
    "orchestration": [process("purchase", "order-process")],
}


def renamed(**changed: Any) -> Catalogue:
    return catalogue(services={**RENAMED, **changed})


def renamed_with(**options: Any) -> Catalogue:
    return catalogue(services=RENAMED, **options)


def lines_of(state: OrderProcessState) -> list[OrderLine]:
    return [state.line]


def bill_line(state: OrderProcessState, line: OrderLine) -> BillOrder:
    return BillOrder(order_id=state.order_id, amount_cents=line.quantity)


def test_a_new_name_of_a_saga_makes_no_other_version() -> None:
    now, before = process("purchase", "order-process").definition, ShopProcess.definition
    assert (now.name, now.fingerprint) == (before.name, before.fingerprint)
    assert process("purchase").definition.fingerprint != before.fingerprint


def test_what_a_node_hosts_hears_and_carries_has_the_names_that_the_store_knows() -> None:
    now, before = renamed(), catalogue()
    assert now.kinds == before.kinds
    assert set(now.subscriptions) == set(before.subscriptions)
    for one, other in zip(now.behaviours_of([], pauses=Pauses(3, print)), before.behaviours_of([]), strict=True):
        assert (one.kind, one.process, one.accepts) == (other.kind, other.process, other.accepts)
        assert getattr(one, "carries", ()) == getattr(other, "carries", ())


def test_a_step_that_asks_a_kind_by_its_new_name_asks_the_one_that_the_store_knows() -> None:
    asking = calling(process("purchase", "order-process"), billing="invoicing")
    assert "invoicing" in {one.command.kind for one in asking.definition.steps}
    [found] = renamed(orchestration=[asking]).sagas
    commands = [one for step in found.steps for one in (step.command, step.undo_command) if one is not None]
    assert {one.kind for one in commands} == {"billing", "warehouse", "sales"}


def test_so_do_the_steps_within_alternatives_and_within_a_list() -> None:
    pay = FirstOf(card=bill(), account=bill())
    each = Each(lines_of, Step(bill_line, OrderBilled, PaymentDeclined, no_undo="of a test", timeout=30), key="sku")
    found = calling(saga(pay=pay, lines=each, flow=pay >> each), billing="invoicing").definition
    assert [one.command.kind for one in found.steps[:3]] == ["invoicing"] * 3
    back = addressed(found, KindNames([("billing", "invoicing")]))
    assert [one.command.kind for one in back.steps[:3]] == ["billing"] * 3


def test_without_a_new_name_a_definition_stays_the_very_same() -> None:
    assert catalogue().sagas[0] is ShopProcess.definition


def test_a_choreography_reaches_and_counts_in_a_kind_by_any_of_its_names() -> None:
    assert parties_of(renamed()) == parties_of(catalogue())
    assert flow_of(renamed()) == flow_of(catalogue())


def test_what_a_catalogue_says_of_a_process_it_may_say_by_any_of_its_names() -> None:
    other = ShopChoreography.name
    with pytest.raises(InvalidDefinition, match="starts no 'purchases'"):
        renamed_with(several={OrderPlaced: ("purchases", other)})
    for name in ("purchase", "order-process"):
        assert renamed_with(several={OrderPlaced: (name, other)}).several == {OrderPlaced: ("order-process", other)}
    with pytest.raises(InvalidDefinition, match=r"unstarted: no command of 'order-process' leads to shop.OrderPlaced"):
        renamed_with(unstarted={"purchase": (OrderPlaced,)})


def test_an_older_class_with_the_old_name_is_carried_over() -> None:
    pay, charge = bill(), bill()
    older = saga(pay=pay, flow=pay)
    body = {"started_by": older.started_by, "closing": older.closing, "charge": charge, "flow": charge}
    carried = {"carries": MappingProxyType({older: renames(pay="charge")})}
    made_so = made("Newer", Saga[OrderProcessState], {**body, **carried}, kind="purchase", formerly=(older.kind,))
    assert older.definition.fingerprint in made_so.definition.carries
    with pytest.raises(InvalidDefinition, match="is of the kind process, and instances never change their kind"):
        made("Newer", Saga[OrderProcessState], {**body, **carried}, kind="purchase")


def test_a_variation_of_a_saga_keeps_its_names() -> None:
    assert process("purchase", "order-process").with_steps().kind_names == ("order-process", "purchase")


@pytest.mark.parametrize(
    "services",
    [
        {"billing": [BillingAgain], "more": [service(WarehouseAgain, "warehouse", "billing")]},
        {"orchestration": [process("purchase", "billing")]},
        {"orchestration": [process("purchase", "invoicing")]},
    ],
)
def test_a_name_that_two_kinds_have_or_had_is_refused(services: dict[str, list[Any]]) -> None:
    with pytest.raises(InvalidDefinition, match=r"are both named '(billing|invoicing)', or one of them was"):
        catalogue(services={**RENAMED, **services}, choreographies=[])


def test_the_actors_of_keys_are_called_after_every_name_of_their_saga() -> None:
    paid = Await(OrderCancelled, key=lambda state: state.order_id, within=days(3), by="order_id")
    body = {"started_by": on(OrderPlaced, shop.begin), "paid": paid, "flow": paid}
    waiting = made("Waiting", Saga[OrderProcessState], body, kind="purchase", formerly=("process",))
    services = {"sales": [SalesAgain], "orchestration": [waiting]}
    found = catalogue(services=services, choreographies=[])
    assert found.kinds == ("sales", "process", "process-keys")
    assert found.names.stored("purchase-keys") == "process-keys"
    more = [service(WarehouseAgain, "purchase-keys", "warehouse")]
    with pytest.raises(InvalidDefinition, match="are both named 'purchase-keys'"):
        catalogue(services={**services, "more": more}, choreographies=[])


def module(kind: str) -> Any:
    """Contracts of a build that calls the kind so; the full name of the command is the same in every build."""
    file = FileDescriptorProto(name="till.proto", package="till", syntax="proto3")
    message = DescriptorProto(name="Bill")
    message.field.add(name="order_id", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    message.options.Extensions[contract_pb2.command].MergeFrom(contract_pb2.Command(kind=kind, key="order_id"))
    file.message_type.append(message)
    found = DescriptorPool().AddSerializedFile(file.SerializeToString())
    return SimpleNamespace(DESCRIPTOR=found, command=GetMessageClass(found.message_types_by_name["Bill"]))


def test_a_command_whose_contract_has_the_new_name_goes_to_the_kind_that_the_store_knows() -> None:
    for kind in ("invoicing", "billing"):
        build = module(kind)
        contracts = Contracts([build], KindNames([("billing", "invoicing")]))
        assert contracts.of(build.command(order_id="A")).kind == contracts.named("till.Bill").kind == "billing"


def test_a_service_handles_what_is_addressed_to_any_of_its_names_and_nothing_else() -> None:
    assert {spec.name for spec in INVOICING.handlers.values()} == {"bill", "refund"}
    with pytest.raises(InvalidDefinition, match="addressed to billing, not invoicing"):
        service(BillingAgain, "invoicing", "bills")


def test_the_names_of_the_build_before_are_among_those_of_the_build_after() -> None:
    assert catalogue(services=SERVICES).names.by_name.items() < renamed().names.by_name.items()
