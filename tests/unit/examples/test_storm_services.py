"""The storm's services: what they ask of bank and depot, and that they follow the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples.storm.participants import Bank, Depot, Request, serve
from examples.storm.services import StormBilling, StormServices, StormWarehouse, storm_catalogue
from protos.billing_pb2 import (
    BILLED,
    CLOSED,
    BillOrder,
    BillState,
    CloseBill,
    OrderBilled,
    PaymentDeclined,
    RefundOrder,
)
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    Restock,
    ShippingLabelCreated,
    StockState,
    VoidShippingLabel,
)


class Known(StormServices):
    """Participants in this process, whose answers are kept."""

    def __init__(self, directory: Path) -> None:
        bank, depot = Bank(directory), Depot(directory)
        self.asked: list[tuple[str, int]] = []
        self._acts = {
            "charge": bank.charge,
            "refund": bank.refund,
            "put": depot.put,
            "label": depot.label,
            "void": depot.void,
        }

    async def ask(self, what: str, key: str, **fields: object) -> int:
        request: Request = {"what": what, "key": key, **fields}
        answer = self._acts[what](request)
        self.asked.append((what, answer))
        return answer


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


def billing(known: Known, state: BillState, message: bytes, *, do_failed: bool = False) -> StormBilling:
    return StormBilling.of(state, key="A", message_id=message, do_failed=do_failed, participants=known)


def warehouse(known: Known, state: StockState, message: bytes, *, do_failed: bool = False) -> StormWarehouse:
    return StormWarehouse.of(state, key="chair", message_id=message, do_failed=do_failed, participants=known)


async def test_a_charge_and_its_refund_are_asked_of_the_bank_once_each(known: Known) -> None:
    state = BillState()
    command = BillOrder(order_id="A", amount_cents=500)
    assert isinstance(await billing(known, state, b"1").bill(command), OrderBilled)
    assert isinstance(await billing(known, state, b"2").bill(command), OrderBilled)
    assert (await billing(known, state, b"3").refund(RefundOrder(order_id="A"))).amount_cents == 500
    assert await billing(known, state, b"4").close(CloseBill(order_id="A")) is None
    assert known.asked == [("charge", 500), ("refund", 500)]


async def test_a_declined_payment_never_reaches_the_bank(known: Known) -> None:
    command = BillOrder(order_id="A", amount_cents=1_000_001)
    assert isinstance(await billing(known, BillState(), b"1").bill(command), PaymentDeclined)
    assert known.asked == []


async def test_a_bill_that_runs_again_after_its_turn_was_lost_charges_nothing_more(known: Known) -> None:
    for _ in range(2):
        state = BillState()
        await billing(known, state, b"1").bill(BillOrder(order_id="A", amount_cents=500))
        assert state.status == BILLED
    assert known.asked == [("charge", 500), ("charge", 500)]
    assert await known.ask("refund", "r", order="A") == 500


async def test_the_same_refund_asked_for_by_two_messages_is_one(known: Known) -> None:
    state = BillState()
    await billing(known, state, b"1").bill(BillOrder(order_id="A", amount_cents=500))
    lost = BillState()
    lost.CopyFrom(state)
    await billing(known, lost, b"2").close(CloseBill(order_id="A"))  # its turn is lost, and another message comes first
    await billing(known, state, b"3").refund(RefundOrder(order_id="A"))
    assert known.asked == [("charge", 500), ("refund", 500), ("refund", 500)]
    assert await known.ask("refund", "another", order="A") == 0


async def test_the_undo_of_a_bill_that_failed_takes_back_what_the_bank_has_and_closes_the_order(known: Known) -> None:
    command = BillOrder(order_id="A", amount_cents=500)
    await billing(known, BillState(), b"1").bill(command)  # and then it failed: the state is as before
    state = BillState()
    await billing(known, state, b"2", do_failed=True).refund(RefundOrder(order_id="A"))
    assert state.status == CLOSED
    assert known.asked == [("charge", 500), ("refund", 500)]
    with pytest.raises(RuntimeError, match="the bank takes nothing more"):
        await billing(known, BillState(), b"3").bill(command)


async def test_the_depot_decides_on_labels_and_the_own_count_follows(known: Known) -> None:
    state = StockState()
    await warehouse(known, state, b"1").restock(Restock(sku="chair", quantity=3))
    first = CreateShippingLabel(sku="chair", quantity=2, order_id="A")
    second = CreateShippingLabel(sku="chair", quantity=2, order_id="B")
    lost = StockState()
    await warehouse(known, lost, b"2").label(first)  # its turn is lost
    assert isinstance(await warehouse(known, state, b"3").label(second), BackOrdered)
    assert isinstance(await warehouse(known, state, b"2").label(first), ShippingLabelCreated)
    assert (state.on_hand, state.labelled, state.labels, state.back_orders) == (1, 2, 1, 1)


async def test_a_label_is_voided_once_however_many_ask(known: Known) -> None:
    state = StockState()
    await warehouse(known, state, b"1").restock(Restock(sku="chair", quantity=3))
    await warehouse(known, state, b"2").label(CreateShippingLabel(sku="chair", quantity=2, order_id="A"))
    void = VoidShippingLabel(sku="chair", quantity=2, order_id="A")
    voided = [(await warehouse(known, state, message).void(void)).quantity for message in (b"3", b"4")]
    assert (voided, state.on_hand, state.labels_voided) == ([2, 0], 3, 1)


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "socket"
    serving = asyncio.create_task(serve(tmp_path, path))
    async with asyncio.timeout(30):
        while not path.exists():
            await asyncio.sleep(0.01)
    yield path
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_questions_over_the_socket_are_answered_each_its_own(socket: Path) -> None:
    participants = StormServices(str(socket))
    asked = [participants.ask("charge", str(n), order=str(n), units=n) for n in range(50)]
    assert await asyncio.gather(*asked) == list(range(50))
    await participants.close()


async def test_participants_that_are_not_there_are_an_error_that_can_be_retried(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await StormServices(str(tmp_path / "nobody")).ask("charge", "1", order="A", units=1)


def test_each_node_has_a_connection_of_its_own() -> None:
    catalogue = storm_catalogue("socket")
    (one,), (other,) = (catalogue.behaviours_of(["billing"]) for _ in range(2))
    assert one is not other
    assert one.kind == other.kind == "billing"
