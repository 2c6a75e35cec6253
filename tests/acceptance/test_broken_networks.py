"""Node processes behind proxies: links that are cut, frozen, duplicated, and clocks that are wrong, cost time only."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc.aio
import pytest

from protos import orders_pb2
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from runtime.errors import InvalidSettings
from runtime.testing.processes import clocks
from runtime.testing.processes.clocks import WallClock, faketime_library
from runtime.testing.processes.harness import Harness
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import NODE, SERVICES, NodeShop, open_shop

pytestmark = pytest.mark.timeout(300)

FLOWS = (ORCHESTRATION, CHOREOGRAPHY)
needs_faketime = pytest.mark.skipif(
    faketime_library() is None, reason="libfaketime is not installed: apt-get install faketime"
)


async def place_some(shop: NodeShop, prefix: str, count: int = 24) -> list[str]:
    """Orders of both styles, one in three back-ordered, asked for until they are taken."""
    ids = [f"{prefix}-{number}" for number in range(count)]
    skus = ("book", "book", BACK_ORDERED)
    await asyncio.gather(
        *(shop.place(key, sku=skus[n % 3], flow=FLOWS[n % 2], each_s=3.0) for n, key in enumerate(ids))
    )
    return ids


async def test_peers_and_clients_reach_nodes_through_their_proxies(tmp_path: Path) -> None:
    async with open_shop(tmp_path, proxied=True) as shop:
        await shop.restock("book")
        await shop.ended(await place_some(shop, "calm"))
        view = await shop.harness.store.cluster()
        proxies = shop.harness.proxies
        assert {row.name: row.address for row in view.nodes} == {name: proxies[name].address for name in SERVICES}

        def all_have_dialled_all() -> bool:
            for target in SERVICES:
                diallers = {name for name, link in proxies[target].links.items() if link.counts.accepted}
                assert diallers >= set(SERVICES) - {target}, f"{target} was reached by {diallers}"
            return True

        # That may be later than the orders end: a node dials whom it sees in the store, where it looks now and then.
        await shop.harness.eventually(all_have_dialled_all, timeout_s=20, what="every node has dialled all others")
        await shop.check_books()


async def test_orders_end_while_two_nodes_cannot_talk_to_each_other(tmp_path: Path) -> None:
    """What sales has for billing is found by billing's sweeps, and the other way round."""
    async with open_shop(tmp_path, settings={"sweep_s": 0.3}, proxied=True) as shop:
        await shop.restock("book")
        there, back = shop.harness.link("sales", "billing"), shop.harness.link("billing", "sales")
        await shop.harness.eventually(
            lambda: there.connections and back.connections,
            timeout_s=20,
            what="sales and billing have dialled each other",
        )
        there.cut()
        back.cut(silent=True)
        await shop.ended(await place_some(shop, "cut"))
        assert there.counts.reset and back.counts.reset
        assert there.connections == 0
        there.heal()
        back.heal()
        await shop.harness.eventually(lambda: there.connections, timeout_s=20, what="sales has dialled billing again")
        await shop.ended(await place_some(shop, "healed"))
        await shop.check_books()


async def test_a_placement_whose_answer_was_swallowed_is_the_same_order_when_asked_again(tmp_path: Path) -> None:
    async with open_shop(tmp_path, proxied=True) as shop:
        await shop.restock("book")
        sales = shop.harness.nodes["sales"]
        link = shop.harness.link("", "sales")
        request = orders_pb2.PlaceOrderRequest(order_id="lost", sku="book", quantity=1, amount_cents=1_500)
        async with grpc.aio.insecure_channel(sales.address, options=[("grpc.enable_retries", 0)]) as channel:
            await channel.channel_ready()
            link.swallow_replies(then_break_s=60.0)
            call = shop.client_over(channel).PlaceOrder(request, timeout=60.0)
            await shop.ended(["lost"])  # it is carried out, which only the store tells
            await shop.harness.eventually(
                lambda: link.back.swallowed_bytes, timeout_s=30, what="the answer is swallowed"
            )
            assert not call.done()
            link.reset()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        link.heal()
        assert (await shop.place("lost")).order_id == "lost"
        await shop.ended(["lost"])
        await shop.check_books()


async def test_what_arrives_twice_is_done_once(tmp_path: Path) -> None:
    """Every connection made from now on, of clients and of peers, reaches its node two times."""
    async with open_shop(tmp_path, proxied=True) as shop:
        await shop.restock("book")
        links = [shop.harness.link(one, other) for other in SERVICES for one in ("", *SERVICES) if one != other]
        for link in links:
            link.duplicates = True
            link.reset()
        await shop.ended(await place_some(shop, "twice", 60))
        await shop.harness.eventually(
            lambda: sum(link.counts.mirrored for link in links) > len(SERVICES),
            timeout_s=20,
            what="nodes have dialled each other again, twice each time",
        )
        for link in links:
            link.heal()
            link.reset()
        await shop.check_books()


@needs_faketime
async def test_orders_end_while_clocks_jump_and_their_stamps_do_not(tmp_path: Path) -> None:
    """A jump over the bound is said with the node's name, a small one is not, and neither shows in what is written."""
    async with open_shop(tmp_path, clocks=True) as shop:
        began_s = time.time()
        await shop.restock("book")
        shop.harness.clocks["warehouse"].shift(1.0)
        orders = []
        for name, off_s in (("sales", 3.0), ("billing", -3.0)):
            shop.harness.clocks[name].shift(off_s)
            orders += await place_some(shop, f"{name}-off", 12)
            await said_that_it_jumped(shop, name, off_s)
        for name, off_s in (("sales", -3.0), ("billing", 0.0)):  # said as well, but counted: see `said again`
            shop.harness.clocks[name].shift(off_s)
            orders += await place_some(shop, f"{name}-back", 12)
        await shop.ended(orders)
        first = [{row.kind: row.handled_at_s for row in reversed(await shop.handled(one))} for one in orders]
        apart_s = 0.9  # of two processes' clocks, each read once; far less than what they were shifted by
        assert all(began_s - apart_s < at_s < time.time() + apart_s for at in first for at_s in at.values())
        assert not any(at["billing"] < at["sales"] - apart_s for at in first if "billing" in at)
        assert not jumps_said(shop, "warehouse")
        await shop.check_books()


def jumps_said(shop: NodeShop, name: str) -> list[float]:
    """By how much a node has said that its machine's clock was off, after each jump."""
    said = [one for one in shop.harness.nodes[name].log_records() if one["event"] == "clock jumped"]
    assert all(one["member"] == name for one in said)
    return [one["off_s"] for one in said]


async def said_that_it_jumped(shop: NodeShop, name: str, off_s: float) -> None:
    await shop.harness.eventually(
        lambda: any(abs(said_s - off_s) < 0.9 for said_s in jumps_said(shop, name)),
        timeout_s=30,
        what=f"{name} says that its clock is off by {off_s}",
        every_s=0.1,
    )


@needs_faketime
async def test_a_shift_moves_the_wall_clock_and_leaves_the_monotonic_one(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "its.clock")
    show = "import time; print(time.time(), time.monotonic())"
    async with Harness(command=NODE, directory=tmp_path / "run") as harness:
        readings = []
        for off_s in (0.0, 1_000.0, -1_000.0):
            clock.shift(off_s)
            finished = await harness.run(("python3", "-c", show), env=clock.environment())
            readings.append([float(word) for word in finished.output.split()])
    (wall, mono), (ahead, mono_ahead), (behind, mono_behind) = readings
    assert 990 < ahead - wall < 1_060
    assert -1_000 <= behind - wall < -940
    assert mono <= mono_ahead <= mono_behind < mono + 60


def test_without_libfaketime_a_clock_that_can_be_moved_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "_PLACES", ())
    with pytest.raises(InvalidSettings, match="apt-get install faketime"):
        WallClock(tmp_path / "its.clock")


async def test_a_link_to_a_node_that_has_no_proxy_is_an_error(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        with pytest.raises(ValueError, match="proxied=True"):
            harness.link("sales", "billing")
