"""The client's and the operator's command lines against nodes that run, and against none."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.testing.processes.harness import Finished
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import ROOT, NodeShop, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

STYLES = ("orchestration", "choreography")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeShop]:
    # Nobody dies here, and on a slow machine none of those that are listed shall be taken for dead.
    async with open_shop(tmp_path_factory.mktemp("command-lines"), settings={"lease_s": 60.0}) as shop:
        await shop.restock("book")
        yield shop


async def client(shop: NodeShop, *arguments: str, node: str = "billing") -> Finished:
    address = shop.harness.nodes[node].address
    command = [sys.executable, "-m", "actors.client", *arguments]
    return await shop.harness.run(command, env={"PYTHONPATH": str(ROOT), "AMENDS_NODE": address})


async def admin(shop: NodeShop, *arguments: str, store: str = "") -> Finished:
    command = [sys.executable, "-m", "runtime.admin", *arguments]
    url = store or shop.harness.store_url
    return await shop.harness.run(command, env={"PYTHONPATH": str(ROOT), "AMENDS_STORE": url})


async def asked(shop: NodeShop, *arguments: str) -> dict[str, Any]:
    """What a client's command says with --json, in its last line."""
    finished = await client(shop, "--json", *arguments)
    assert finished.code == 0, finished.output
    answer: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
    return answer


def order(order_id: str, *more: str, sku: str = "book", quantity: str = "1") -> tuple[str, ...]:
    return ("place", "--sku", sku, "--quantity", quantity, "--amount", "1500", "--order-id", order_id, *more)


# --- the client ---


@pytest.mark.parametrize("style", STYLES)
async def test_placing_and_watching_shows_the_order_to_its_end(shop: NodeShop, style: str) -> None:
    seen = await asked(shop, *order(f"watch-{style}", "--flow", style, "--watch"))
    assert (seen["order_id"], seen["status"]) == (f"watch-{style}", "READY_TO_SHIP")


@pytest.mark.parametrize("style", STYLES)
async def test_a_back_ordered_order_is_shown_as_cancelled_with_the_reason(shop: NodeShop, style: str) -> None:
    finished = await client(shop, *order(f"none-{style}", "--flow", style, "--watch", sku=BACK_ORDERED))
    assert finished.code == 0, finished.output
    assert "CANCELLED" in finished.output.splitlines()[-1]
    assert "back-ordered" in finished.output


async def test_placing_twice_shows_the_same_order_and_getting_it_too(shop: NodeShop) -> None:
    await asked(shop, *order("twice", "--watch"))
    again = await asked(shop, *order("twice"))
    got = await asked(shop, "get", "twice")
    assert again["status"] == got["status"] == "READY_TO_SHIP"


async def test_another_order_of_the_same_id_is_refused_with_5(shop: NodeShop) -> None:
    await asked(shop, *order("taken"))
    finished = await client(shop, *order("taken", quantity="2"))
    assert finished.code == 5
    assert "quantity is 1, not 2" in finished.output
    assert "Traceback" not in finished.output


@pytest.mark.parametrize("command", ["get", "watch", "cancel"])
async def test_an_unknown_order_ends_with_4(shop: NodeShop, command: str) -> None:
    finished = await client(shop, command, "nobody placed this")
    assert finished.code == 4
    assert "there is no order 'nobody placed this'" in finished.output


async def test_cancelling_what_is_ready_to_ship_is_refused_with_5(shop: NodeShop) -> None:
    await asked(shop, *order("late", "--watch"))
    finished = await client(shop, "cancel", "late")
    assert finished.code == 5
    assert "ready to ship" in finished.output


async def test_no_node_ends_with_3_and_names_the_address(shop: NodeShop) -> None:
    finished = await client(shop, "--node", "127.0.0.1:1", "get", "any")
    assert finished.code == 3
    assert "no node answers at 127.0.0.1:1" in finished.output
    assert "Traceback" not in finished.output


@pytest.mark.parametrize("quantity", ["0", "-1", str(2**63), "many", "1.5"])
async def test_a_quantity_that_is_none_ends_with_2(shop: NodeShop, quantity: str) -> None:
    finished = await client(shop, *order("odd", quantity=quantity))
    assert finished.code == 2
    assert "quantity" in finished.output


async def test_restocking_and_looking_it_up(shop: NodeShop) -> None:
    for _ in range(2):
        await asked(shop, "restock", "--sku", "pen", "--quantity", "7", "--request-id", "delivery-1")
    assert (await asked(shop, "stock", "--sku", "pen"))["on_hand"] == 7
    assert (await asked(shop, "stock", "--sku", "never seen"))["on_hand"] == 0


@pytest.mark.parametrize("style", STYLES)
async def test_a_load_of_orders_is_summed_up(shop: NodeShop, style: str) -> None:
    summary = await asked(shop, "load", "--orders", "60", "--concurrency", "20", "--flow", style)
    assert (summary["ends"], summary["failed"]) == ({"READY_TO_SHIP": 60}, 0)
    await shop.check_books()


# --- the operator ---


@pytest.mark.parametrize("style", STYLES)
async def test_the_conversation_of_an_order_is_shown_alike_in_both_styles(shop: NodeShop, style: str) -> None:
    order_id = f"talk-{style}"
    await asked(shop, *order(order_id, "--flow", style, "--watch"))
    await shop.check_books()
    text = await admin(shop, "conversation", order_id)
    assert text.code == 0, text.output
    for word in ("PlaceOrder", "OrderPlaced", "OrderBilled", "ShippingLabelCreated", f"sales/{order_id}"):
        assert word in text.output
    drawn = await admin(shop, "conversation", order_id, "--format", "mermaid")
    assert drawn.output.startswith("sequenceDiagram")
    plain = json.loads((await admin(shop, "conversation", order_id, "--format", "json")).output)
    assert plain["key"] == order_id
    assert len(plain["conversations"]) == 1


async def test_nodes_shards_and_sagas_are_listed(shop: NodeShop) -> None:
    await asked(shop, *order("listed", "--watch"))
    await shop.check_books()
    nodes = json.loads((await admin(shop, "nodes", "--json")).output)
    assert {node["name"] for node in nodes} == {"sales", "billing", "warehouse", "orchestration"}
    shards = json.loads((await admin(shop, "shards", "--json")).output)
    assert {shard["owner"] for shard in shards if shard["kind"] == "order-process"} == {"orchestration"}
    sagas = await admin(shop, "sagas", "--status", "completed")
    assert "listed" in sagas.output
    assert (await admin(shop, "dead-letters")).output == "no dead letter\n"


async def test_an_order_is_explained_by_all_who_know_it(shop: NodeShop) -> None:
    await asked(shop, *order("known", "--watch"))
    explained = await admin(shop, "explain", "known")
    assert explained.code == 0, explained.output
    for word in ("sales/known", "billing/known", "order-process/known", "READY_TO_SHIP", "charge-known"):
        assert word in explained.output


async def test_what_nobody_knows_ends_with_4(shop: NodeShop) -> None:
    for command in ("explain", "conversation"):
        finished = await admin(shop, command, "nobody placed this")
        assert finished.code == 4
        assert "Traceback" not in finished.output


async def test_a_store_that_is_not_there_is_an_error_and_is_not_made(shop: NodeShop) -> None:
    missing = shop.harness.directory / "missing.db"
    finished = await admin(shop, "nodes", store=f"sqlite:///{missing}")
    assert finished.code == 1
    assert "missing.db" in finished.output
    assert not missing.exists()
