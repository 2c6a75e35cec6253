"""A part of a catalogue that is not what its place is for is refused by its place, with no error of Python."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protos import sales_pb2
from protos.sales_pb2 import OrderPlaced
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography
from runtime.saga.saga import Saga
from tests.unit.saga.shop import ShopProcess
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES, SalesAgain, catalogue
from tests.unit.saga.test_choreography import ShopChoreography


@pytest.mark.parametrize(
    "contracts", [None, sales_pb2, "protos.sales_pb2", ["protos.sales_pb2"], [OrderPlaced], [asyncio]]
)
def test_contracts_are_modules_of_protobuf(contracts: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^catalogue, contracts: .* (is not several|is no module)"):
        catalogue(contracts=contracts)


def test_contracts_may_come_one_by_one() -> None:
    assert catalogue(contracts=iter(CONTRACTS)).service_names == catalogue().service_names


@pytest.mark.parametrize("services", [None, [SalesAgain], SalesAgain, "sales"])
def test_services_are_classes_by_name(services: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^catalogue, services: .* is not service names with their classes"):
        catalogue(services=services)


@pytest.mark.parametrize("name", [5, None, "", " sales", "a,b", "a\n", "\ud800"])
def test_a_name_that_no_node_could_be_launched_with_is_refused(name: Any) -> None:
    with pytest.raises(
        InvalidDefinition, match=r"^catalogue, services: .* is no name that a node can be launched with"
    ):
        catalogue(services={**SERVICES, name: [SalesAgain]})


@pytest.mark.parametrize(
    ("hosted", "complaint"),
    [
        (SalesAgain, "SalesAgain is not several classes"),
        ("SalesAgain", "'SalesAgain' is not several classes"),
        ([], "stands for no kind"),
        ([SalesAgain.of()], "is no class of a service or saga; name the class itself"),
        ([len], "is no class of a service or saga"),
        ([Service], "Service is no service or saga; derive one"),
        ([Saga], "Saga is no service or saga"),
        ([ShopChoreography], "ShopChoreography is no service or saga"),
    ],
)
def test_what_a_service_hosts_are_classes_of_services_and_sagas(hosted: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"^catalogue, services\['more'\]:? .*{complaint}"):
        catalogue(services={**SERVICES, "more": hosted})


@pytest.mark.parametrize("given", [None, ShopChoreography, [ShopChoreography()], [ShopProcess], [Choreography]])
def test_choreographies_are_classes_of_them(given: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^catalogue, choreographies: "):
        catalogue(choreographies=given)


@pytest.mark.parametrize("unstarted", [[OrderPlaced], {"order-process": OrderPlaced}, {"order-process": [5]}])
def test_what_is_unstarted_are_events_by_process(unstarted: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"^catalogue, unstarted"):
        catalogue(unstarted=unstarted)
