"""Services are given what their `__init__` takes: one object for a node, by the catalogue's factory of its type."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import pytest

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.saga.catalogue import Catalogue
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.made import made


class OwnBank:
    def __init__(self) -> None:
        self.charged: list[str] = []
        self.closed = 0

    def charge(self, key: str) -> str:
        self.charged.append(key)
        return f"charge {len(self.charged)}"

    async def aclose(self) -> None:
        self.closed += 1


class Rates(Protocol):
    def rate(self) -> int: ...


class Double:
    def rate(self) -> int:
        return 2


class ChargingBank(Service[BillState], kind="billing"):
    def __init__(self, bank: OwnBank, *, rates: Rates) -> None:
        self.bank = bank
        self.cents = 100 * rates.rate()

    async def bill(self, command: BillOrder) -> OrderBilled:
        return OrderBilled(order_id=self.key, charge_id=self.bank.charge(self.key), amount_cents=self.cents)


async def bill(self: Any, command: BillOrder) -> OrderBilled:
    return OrderBilled()


def hosting(service: Any, provides: Any) -> Catalogue:
    return Catalogue(contracts=[billing_pb2, sales_pb2], services={"billing": [service]}, provides=provides)


def service_of(init: Callable[..., Any]) -> type[Any]:
    return made("Bad", Service[BillState], {"__init__": init, "bill": bill}, kind="billing")


# --- what is given ---


async def test_a_handler_is_tested_with_whatever_its_service_is_given() -> None:
    bank = OwnBank()
    answer = await ChargingBank.of(key="ORD-1", bank=bank, rates=Double()).bill(BillOrder(order_id="ORD-1"))
    assert (answer.charge_id, answer.amount_cents, bank.charged) == ("charge 1", 200, ["ORD-1"])


async def test_each_node_makes_its_own_and_closes_it_when_it_stops(make_cluster: MakeCluster) -> None:
    banks: list[OwnBank] = []

    def open_bank() -> OwnBank:
        banks.append(OwnBank())
        return banks[-1]

    catalogue = hosting(ChargingBank, {OwnBank: open_bank, Rates: Double})
    cluster = await make_cluster(
        catalogue, nodes={"one": ["billing"], "two": ["billing"]}, settings={"shards_per_kind": 16}
    )
    assert len(banks) == 2, "made when a node starts"
    await cluster.advance(60.0)  # both have shards by then
    for number in range(40):
        await cluster.send(BillOrder(order_id=f"ORD-{number}"), OrderBilled, node="one")
    assert sum(len(bank.charged) for bank in banks) == 40
    assert all(bank.charged for bank in banks), "shared by all that one node handles, and by no other node"
    cluster.kill("one")
    await cluster.restart("one")
    assert [bank.closed for bank in banks] == [0, 0, 0], "what is killed closes nothing; who comes back makes anew"
    await cluster.stop("two")
    assert sorted(bank.closed for bank in banks) == [0, 0, 1]


def test_what_a_factory_makes_has_to_be_of_its_type() -> None:
    (behaviour,) = hosting(ChargingBank, {OwnBank: Double, Rates: Double}).behaviours_of(["billing"])
    with pytest.raises(InvalidDefinition, match=r"provides: the factory of OwnBank made a Double, which is no OwnBank"):
        behaviour._provided.make()  # type: ignore[attr-defined]


def test_a_factory_that_raises_is_named() -> None:
    def fails() -> OwnBank:
        raise OSError("no such host")

    (behaviour,) = hosting(ChargingBank, {OwnBank: fails, Rates: Double}).behaviours_of(["billing"])
    with pytest.raises(InvalidDefinition, match=r"the factory of OwnBank raised OSError: no such host"):
        behaviour._provided.make()  # type: ignore[attr-defined]


# --- what is refused ---


def test_what_no_catalogue_provides_is_named_with_the_service_and_the_cure() -> None:
    with pytest.raises(
        InvalidDefinition,
        match=r"service ChargingBank: its __init__ takes bank: OwnBank, which .*provides=\{OwnBank: \.\.\.\}\)$",
    ):
        hosting(ChargingBank, {Rates: Double})


def test_what_no_service_takes_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"provides: no service takes a Double in its __init__; take it out"):
        hosting(ChargingBank, {OwnBank: OwnBank, Rates: Double, Double: Double})


async def _async_bank() -> OwnBank:
    return OwnBank()


def _yielding() -> Iterator[OwnBank]:
    yield OwnBank()


async def _async_yielding() -> AsyncIterator[OwnBank]:
    yield OwnBank()


class _AsyncFactory:
    async def __call__(self) -> OwnBank:
        return OwnBank()


@pytest.mark.parametrize(
    ("provides", "complaint"),
    [
        ([OwnBank], "provides: .* is no mapping"),
        ({"bank": OwnBank}, "provides: 'bank' is no type"),
        ({OwnBank: OwnBank()}, r"provides\[OwnBank\]: .* is shared by all nodes, and each has to have its own"),
        ({OwnBank: _async_bank}, r"provides\[OwnBank\]: .* is async; write a plain"),
        ({OwnBank: _AsyncFactory()}, r"provides\[OwnBank\]: .* is async; write a plain"),
        ({OwnBank: _yielding}, r"provides\[OwnBank\]: .* has a `yield`, .* a `close` or `aclose`"),
        ({OwnBank: functools.partial(_yielding)}, r"provides\[OwnBank\]: .* has a `yield`"),
        ({OwnBank: _async_yielding}, r"provides\[OwnBank\]: .* has a `yield`"),
        ({OwnBank: functools.partial(lambda a, b: OwnBank(), 1)}, r"provides\[OwnBank\]: .* takes arguments"),
    ],
)
def test_what_is_no_factory_is_refused(provides: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        hosting(ChargingBank, provides)


def untyped(self, bank):  # type: ignore[no-untyped-def]
    pass


def of_several(self: Any, *banks: OwnBank) -> None: ...


def of_none(self: Any, bank: OwnBank | None) -> None: ...


def of_a_key(self: Any, key: str) -> None: ...


def unreadable(self: Any, bank: NoSuchBank) -> None: ...  # type: ignore[name-defined] # noqa: F821


async def waiting(self: Any, bank: OwnBank) -> None: ...


@pytest.mark.parametrize(
    ("init", "complaint"),
    [
        (untyped, r"takes 'bank' without a type, .*annotate it, as in bank: Bank"),
        (of_several, r"takes \*banks: .*; write each thing"),
        (of_none, r"takes 'bank' as .* which is no class"),
        (of_a_key, r"takes 'key', and every service has something of this name"),
        (unreadable, r"the annotations of its __init__ cannot be read"),
        (waiting, r"its __init__ is async"),
    ],
)
def test_a_parameter_that_the_catalogue_could_not_fill_is_refused(init: Callable[..., Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"^service Bad: .*{complaint}"):
        service_of(init)
