"""Orders placed with real nodes: both styles, both ends, and whatever a client may send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from protos import orders_pb2
from protos.billing_pb2 import BillState
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from tests.acceptance.paths import BACK_ORDERED, ORCHESTRATED_DECLINED, PATHS, Path
from tests.acceptance.shop import NodeShop, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOWS = (ORCHESTRATION, CHOREOGRAPHY)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeShop]:
    async with open_shop(tmp_path_factory.mktemp("orders")) as shop:
        await shop.restock("book")
        yield shop


async def walk(shop: NodeShop, path: Path) -> None:
    """Place an order and see that it ends as its path says, by these messages and no others."""
    order_id = f"whole-{path}"
    order = await shop.place(order_id, sku=path.sku, flow=path.flow, wait=True)
    assert order.status == path.end
    await shop.check_books()  # nothing is on its way any more: what was handled is all that ever will be
    seen = sorted((row.type, row.kind) for row in await shop.handled(order_id))
    assert seen == path.handled(len(path.stages))


async def bill_of(shop: NodeShop, order_id: str) -> BillState:
    row = await shop.actor("billing", order_id)
    return BillState() if row is None else BillState.FromString(row.state)


async def test_s90_choreography_happy(shop: NodeShop) -> None:
    await walk(shop, PATHS[2])
    bill = await bill_of(shop, f"whole-{PATHS[2]}")
    assert (bill.charges, bill.refunds) == (1, 0)


async def test_s91_orchestration_happy(shop: NodeShop) -> None:
    await walk(shop, PATHS[0])
    bill = await bill_of(shop, f"whole-{PATHS[0]}")
    assert (bill.charges, bill.refunds) == (1, 0)


@pytest.mark.parametrize("path", [PATHS[1], PATHS[3]], ids=str)
async def test_s92_backordered_after_billed(shop: NodeShop, path: Path) -> None:
    await walk(shop, path)
    bill = await bill_of(shop, f"whole-{path}")
    assert (bill.charges, bill.refunds) == (1, 1)
    assert (await shop.stock(BACK_ORDERED)).labels == 0


@pytest.mark.parametrize("flow", FLOWS, ids=Flow.Name)
async def test_s94_cancel_with_no_label(shop: NodeShop, flow: Flow.ValueType) -> None:
    """OrderCancelled for goods of which no label was ever made: not an error for anyone."""
    order = await shop.place(f"s94-{flow}", sku="never labelled", flow=flow, wait=True)
    assert order.status == CANCELLED
    await shop.check_books()


@pytest.mark.parametrize("flow", FLOWS, ids=Flow.Name)
async def test_a_declined_payment_cancels_the_order_and_charges_nothing(shop: NodeShop, flow: Flow.ValueType) -> None:
    order_id = f"dear-{flow}"
    order = await shop.place(order_id, amount_cents=1_000_001, flow=flow, wait=True)
    assert order.status == CANCELLED
    assert "above the limit" in order.reason
    await shop.check_books()
    assert (await bill_of(shop, order_id)).charges == 0
    if flow == ORCHESTRATION:
        messages = sorted((row.type, row.kind) for row in await shop.handled(order_id))
        assert messages == sorted(message for stage in ORCHESTRATED_DECLINED for message in stage)


@pytest.mark.parametrize("flow", FLOWS, ids=Flow.Name)
async def test_the_same_order_again_is_the_same_order(shop: NodeShop, flow: Flow.ValueType) -> None:
    order_id = f"twice-{flow}"
    orders = await asyncio.gather(*(shop.place(order_id, flow=flow, wait=True) for _ in range(5)))
    assert {order.status for order in orders} == {READY_TO_SHIP}
    await shop.check_books()
    assert (await bill_of(shop, order_id)).charges == 1


async def test_the_same_id_with_other_content_is_refused_by_what_differs(shop: NodeShop) -> None:
    await shop.place("conflict", quantity=1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.place("conflict", quantity=2)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert "quantity is 1, not 2" in str(caught.value.details())


async def test_an_order_nobody_placed_is_not_found(shop: NodeShop) -> None:
    for call in (shop.get, shop.cancel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("nobody placed this")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("flow", FLOWS, ids=Flow.Name)
async def test_an_order_that_is_ready_to_ship_is_not_cancelled(shop: NodeShop, flow: Flow.ValueType) -> None:
    order_id = f"too-late-{flow}"
    await shop.place(order_id, flow=flow, wait=True)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.cancel(order_id)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "ready to ship" in str(caught.value.details())


@pytest.mark.parametrize("flow", FLOWS, ids=Flow.Name)
async def test_cancelling_while_it_runs_leaves_one_end_and_no_charge_or_a_refusal(
    shop: NodeShop, flow: Flow.ValueType
) -> None:
    ids = [f"maybe-{flow}-{number}" for number in range(20)]

    async def change_mind(order_id: str) -> None:
        await shop.place(order_id, flow=flow)
        try:
            await shop.cancel(order_id)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION

    await asyncio.gather(*(change_mind(order_id) for order_id in ids))
    await shop.ended(ids)
    await shop.check_books()


@pytest.mark.parametrize(
    "odd",
    [
        "ORD/1",
        "§ 1",
        "бк-1",
        "注文",
        "👩‍👩‍👧‍👦",
        "' OR 1=1 --",
        "%s{}",
        "e\u0301",
        "\u202egnp",
        "x" * 256,
        " ",
    ],
    ids=ascii,
)
async def test_any_text_can_be_an_order_id_and_a_sku(shop: NodeShop, odd: str) -> None:
    await shop.restock(odd, 10)
    for flow in FLOWS:
        order_id = odd if flow == ORCHESTRATION else (odd + odd)[-256:].replace("x", "y")
        order = await shop.place(order_id, sku=odd, flow=flow, wait=True)
        assert (order.order_id, order.line.sku, order.status) == (order_id, odd, READY_TO_SHIP)
    assert (await shop.stock(odd)).on_hand == 8
    await shop.check_books()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"order_id": ""}, "order_id must not be empty"),
        ({"sku": ""}, "sku must not be empty"),
        ({"order_id": "x" * 257}, "at most 256 bytes"),
        ({"order_id": "ä" * 129}, "at most 256 bytes"),
        ({"sku": "x" * 1_000_000}, "at most 256 bytes"),
        ({"quantity": 0}, "quantity must be 1 or more; it is 0"),
        ({"quantity": -(2**63)}, "quantity must be 1 or more"),
        ({"amount_cents": -1}, "amount_cents must be 0 or more"),
        ({"flow": 7}, "flow must be 0"),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_bad_input_is_refused_with_the_reason(shop: NodeShop, wrong: dict[str, object], text: str) -> None:
    fields = {"order_id": "bad", "sku": "book", "quantity": 1, "amount_cents": 1} | wrong
    request = orders_pb2.PlaceOrderRequest(**fields)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shop.anyhow(lambda client: client.PlaceOrder(request, timeout=5.0))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert text in str(caught.value.details())


async def test_the_largest_numbers_are_counted_right(shop: NodeShop) -> None:
    order = await shop.place("all of it", quantity=2**63 - 1, amount_cents=1_000_000, wait=True)
    assert order.status == CANCELLED
    order = await shop.place("at the limit", amount_cents=1_000_000, wait=True)
    assert order.status == READY_TO_SHIP
    await shop.check_books()


async def test_watching_shows_the_order_and_each_change_to_its_end(shop: NodeShop) -> None:
    await shop.place("watched")
    node = shop.harness.nodes["billing"]
    request = orders_pb2.WatchOrderRequest(order_id="watched")
    seen = [order.status async for order in shop.client(node).WatchOrder(request, timeout=30.0)]
    assert seen == sorted(seen)
    assert seen[-1] == READY_TO_SHIP


async def test_a_restock_that_is_repeated_counts_once(shop: NodeShop) -> None:
    request = orders_pb2.RestockRequest(sku="pen", quantity=5, request_id="delivery 1")
    for _ in range(3):
        stock = await shop.anyhow(lambda client: client.Restock(request, timeout=5.0))
    assert stock.on_hand == 5
