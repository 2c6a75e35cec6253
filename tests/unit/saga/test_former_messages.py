"""A message that has another name now is understood by the name that it had, and makes no other version of a saga."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from protos.orders_pb2 import OrderProcessState
from runtime.contracts import Contracts, names_of
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.errors import InvalidDefinition, UnknownMessageType
from runtime.protos import contract_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.made import made, of_state


def module(package: str, names: tuple[str, str, str], *, former: str = "") -> Any:
    """A command, its answer, and the event that starts a process; by default none of them had another name."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for number, name in enumerate(names):
        message = DescriptorProto(name=name)
        message.field.add(name="order_id", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
        if number == 0:
            message.options.Extensions[contract_pb2.command].MergeFrom(
                contract_pb2.Command(kind="payments", key="order_id")
            )
        else:
            message.options.Extensions[contract_pb2.event].key = "order_id"
        if former:
            message.options.Extensions[contract_pb2.formerly].append(f"{former}.{OLD_NAMES[number]}")
        file.message_type.append(message)
    pool = DescriptorPool()
    found = pool.AddSerializedFile(file.SerializeToString())
    types = [GetMessageClass(found.message_types_by_name[name]) for name in names]
    return SimpleNamespace(DESCRIPTOR=found, types=types)


OLD_NAMES = ("Bill", "Billed", "Placed")
OLD = module("old", OLD_NAMES)
NEW = module("new", ("Charge", "Charged", "Ordered"), former="old")


def process(types: Any) -> type[Saga[Any]]:
    command, answer, event = types.types

    def begin(placed: Any) -> OrderProcessState:
        return OrderProcessState(order_id=placed.order_id)

    def do(state: OrderProcessState) -> Any:
        return command(order_id=state.order_id)

    begin.__annotations__["placed"], do.__annotations__["return"] = event, command
    step = Step(do=do, done=answer, timeout=9.0, no_undo="for the sake of the test")
    body = {"started_by": on(event, begin), "step": step, "flow": step}
    return made("Paying", Saga[OrderProcessState], body, kind="paying")


def test_a_new_name_of_a_message_makes_no_other_version() -> None:
    old, new = process(OLD).definition, process(NEW).definition
    assert old.fingerprint == new.fingerprint
    assert new.steps[0].dones == ("new.Charged", "old.Billed")


def test_an_instance_that_asked_by_the_old_name_is_answered_by_the_new_one() -> None:
    (_, billed, placed), (charge, charged, _) = OLD.types, NEW.types
    story = SagaTranscript(process(OLD)).given(placed(order_id="ORD-1"))
    later = SagaTranscript(process(NEW)).carrying_on(story)
    later.given(charged(order_id="ORD-1"), to=story.sent[0]).expect().expect_status("completed")
    assert names_of(charge) == ("new.Charge", "old.Bill") and names_of(billed) == ("old.Billed",)


def test_what_was_sent_by_the_old_name_is_decoded_as_what_it_is_called_now() -> None:
    contracts = Contracts([NEW])
    found = contracts.parse("old.Bill", OLD.types[0](order_id="ORD-1").SerializeToString())
    assert found == NEW.types[0](order_id="ORD-1")
    assert contracts.named("old.Bill").name == "new.Charge"
    with pytest.raises(UnknownMessageType):
        contracts.named("old.Nothing")


def test_saga_and_service_take_both_names_and_hear_both() -> None:
    behaviour = SagaBehaviour(process(NEW))
    assert {"new.Charged", "old.Billed", "old.Placed"} <= behaviour.accepts
    assert [one.event_type for one in behaviour.subscriptions] == ["new.Ordered", "old.Placed"]
    assert behaviour.carries[1:] == ("paying<new.Ordered", "paying<old.Placed")

    async def charge(self: Any, command: Any) -> Any:
        return NEW.types[1](order_id=command.order_id)

    charge.__annotations__.update({"command": NEW.types[0], "return": NEW.types[1]})
    service = made("Payments", of_state(Service, OrderProcessState), {"charge": charge}, kind="payments")
    assert {"new.Charge", "old.Bill"} == ServiceBehaviour(service).accepts


def test_a_former_name_that_another_message_has_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"new.Charge says that it was formerly old.Bill, which old.Bill is"):
        Contracts([OLD, NEW])
    twice = module("newer", ("Debit", "Debited", "Bought"), former="old")
    with pytest.raises(InvalidDefinition, match=r"newer.Debit says that it was formerly old.Bill, which new.Charge is"):
        Contracts([NEW, twice])
