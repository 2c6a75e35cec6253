"""Nodes that come, go, fail to start, freeze and drain."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import threading
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, PENDING, READY_TO_SHIP
from runtime.testing.processes.harness import Harness
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import NODE, NodeShop, open_shop

pytestmark = pytest.mark.timeout(300)

FLOWS = (ORCHESTRATION, CHOREOGRAPHY)


async def place_many(shop: NodeShop, prefix: str, count: int) -> list[str]:
    ids = [f"{prefix}-{number}" for number in range(count)]
    await asyncio.gather(*(shop.place(key, flow=FLOWS[number % 2]) for number, key in enumerate(ids)))
    return ids


async def under_way(shop: NodeShop, prefix: str, count: int) -> None:
    """Wait until so many of these orders are in the books; the rest of them is still to come, or on its way."""

    async def check() -> bool:
        return len(await shop.orders(f"{prefix}-{number}" for number in range(200))) >= count

    await shop.harness.eventually(check, timeout_s=30.0, what=f"{count} orders are placed", every_s=0.005)


async def billed_by(shop: NodeShop, order_ids: list[str]) -> set[str]:
    """The nodes that handled bills, of these orders."""
    rows = [row for order_id in order_ids for row in await shop.handled(order_id)]
    return {row.node.partition("@")[0] for row in rows if row.kind == "billing"}


async def owned_by(shop: NodeShop, kind: str, *names: str) -> None:
    async def check() -> bool:
        owners = await shop.owners(kind)
        assert owners == set(names), f"{kind} is owned by {sorted(owners)}"
        return True

    await shop.harness.eventually(check, timeout_s=30, what=f"{kind} is shared by {names}")


async def test_a_harness_opens_the_store_once_for_all_nodes_and_leaves_no_thread_of_it(tmp_path: Path) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("amends.db")}

    before = threads()
    async with open_shop(tmp_path) as shop:
        assert len(await shop.owners("billing")) == 1
        assert threads() > before
    assert threads() == before


async def test_two_nodes_of_a_service_share_its_work_and_one_does_all_when_the_other_is_killed(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        await shop.harness.start("billing-2", ["billing"])
        await owned_by(shop, "billing", "billing", "billing-2")
        ids = await place_many(shop, "shared", 40)
        await shop.ended(ids)
        assert await billed_by(shop, ids) == {"billing", "billing-2"}

        shop.harness.nodes["billing"].kill()
        ids = await place_many(shop, "alone", 20)
        await shop.ended(ids)
        assert await billed_by(shop, ids) == {"billing-2"}
        await owned_by(shop, "billing", "billing-2")

        await shop.harness.restart("billing")
        await owned_by(shop, "billing", "billing", "billing-2")
        ids = await place_many(shop, "again", 40)
        await shop.ended(ids)
        assert await billed_by(shop, ids) == {"billing", "billing-2"}
        await shop.check_books()


async def test_a_node_that_is_restarted_by_name_has_its_shards_back_before_its_lease_ran_out(tmp_path: Path) -> None:
    async with open_shop(tmp_path, settings={"lease_s": 600.0, "renew_s": 0.5}) as shop:
        await shop.restock("book")
        shop.harness.nodes["billing"].kill()
        ids = await place_many(shop, "waiting", 10)
        await shop.harness.restart("billing")
        await shop.ended(ids, timeout_s=30)  # far below the lease
        await shop.check_books()


async def test_a_frozen_node_writes_nothing_stale_when_it_wakes_up(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        await shop.harness.start("billing-2", ["billing"])
        await owned_by(shop, "billing", "billing", "billing-2")
        for tries in range(3):
            placing = asyncio.create_task(place_many(shop, f"storm-{tries}", 60))
            await under_way(shop, f"storm-{tries}", 15)
            await shop.freeze("billing-2")
            ids = await placing
            await shop.ended(ids)
            await owned_by(shop, "billing", "billing")
            shop.thaw("billing-2")
            await owned_by(shop, "billing", "billing", "billing-2")
        await shop.check_books()
        await one_node_for_each_revision(shop, [f"storm-{tries}-{n}" for tries in range(3) for n in range(60)])


async def one_node_for_each_revision(shop: NodeShop, order_ids: list[str]) -> None:
    """Revisions of an actor rise, and no two nodes wrote the same one.

    One may be missing: a turn that only counted a lost run has handled nothing. Notes of trials have none.
    """
    for order_id in order_ids:
        for kind in ("sales", "billing"):
            rows = [row for row in await shop.handled(order_id) if row.kind == kind and row.revision]
            writers = {(row.revision, row.node) for row in rows}
            revisions = sorted(revision for revision, _ in writers)
            actor = await shop.actor(kind, order_id)
            assert actor is not None
            assert len(set(revisions)) == len(revisions), f"{kind}/{order_id}: {sorted(writers)}"
            assert revisions[-1] == actor.revision, f"{kind}/{order_id}: {sorted(writers)}"


async def test_a_service_that_is_down_gets_its_mail_later(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=("sales", "billing", "warehouse")) as shop:
        await shop.restock("book")
        ids = await place_many(shop, "early", 10)
        choreographed, orchestrated = ids[1::2], ids[0::2]
        await shop.ended(choreographed)
        orders = await shop.orders(orchestrated)
        assert {order.status for order in orders.values()} == {PENDING}
        await shop.harness.start("orchestration", ["orchestration"])
        await shop.ended(orchestrated)
        await shop.check_books()


async def test_draining_under_load_loses_nothing_and_ends_with_0(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        placing = asyncio.create_task(place_many(shop, "busy", 150))
        for drained, name in enumerate(("billing", "orchestration", "warehouse", "sales")):
            await under_way(shop, "busy", 10 + 30 * drained)
            assert await shop.harness.nodes[name].stop() == 0
            await shop.harness.restart(name)
        await shop.ended(await placing)
        await shop.check_books()


async def test_a_drained_node_has_left_and_its_shards_are_given_up(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=("sales", "billing")) as shop:
        assert await shop.harness.nodes["billing"].stop() == 0
        view = await shop.harness.store.cluster()
        assert [row.name for row in view.nodes] == ["sales"]
        assert await shop.owners("billing") == {""}


async def test_one_node_hosts_everything_when_no_service_is_named(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=()) as shop:
        await shop.harness.start("all")
        await shop.restock("book")
        ids = await place_many(shop, "one", 20)
        await shop.ended(ids)
        shop.harness.nodes["all"].kill()
        await shop.harness.restart("all")
        await shop.ended(await place_many(shop, "two", 20))
        await shop.check_books()


async def test_overload_refuses_or_delays_and_loses_nothing(tmp_path: Path) -> None:
    tight: dict[str, object] = {"mailbox_max": 5, "activations_max": 20, "turn_messages_max": 2, "sweep_s": 0.2}
    async with open_shop(tmp_path, settings=tight) as shop:
        await shop.restock("book")
        ids = await place_many(shop, "crowd", 400)
        await shop.ended(ids, timeout_s=60)
        await shop.check_books()


async def test_a_message_over_the_size_limit_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=("sales", "billing"), settings={"message_bytes_max": 1024}) as shop:
        order_id = "x" * 200
        await shop.place(order_id, flow=CHOREOGRAPHY)  # stays pending: there is no warehouse yet
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await shop.cancel(order_id, reason="y" * 1000)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the limit is 1,024 (setting message_bytes_max)" in str(caught.value.details())
        await shop.harness.start("warehouse", ["warehouse"], settings={"message_bytes_max": 1024})
        await shop.restock("book")
        order = (await shop.ended([order_id]))[order_id]
        assert order.reason.startswith("book is back-ordered") or order.status == READY_TO_SHIP
        await shop.check_books()


# --- nodes that must refuse to start ---


async def refused(harness: Harness, *arguments: str, code: int, text: str) -> None:
    finished = await harness.run_node(*arguments, timeout_s=90.0)
    assert finished.code == code, finished.output
    assert text in finished.output
    assert "Traceback" not in finished.output


def bare(directory: Path) -> Harness:
    return Harness(command=NODE, directory=directory, settings={"log_format": "json"})


async def test_a_second_live_node_of_one_name_ends_with_5(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=("billing",)) as shop:
        await refused(
            shop.harness,
            *("billing", "--name", "billing", "--listen", "127.0.0.1:0", "--store", shop.harness.store_url),
            code=5,
            text="billing",
        )
        assert shop.harness.nodes["billing"].alive


async def test_a_taken_port_ends_with_4_and_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with bare(tmp_path) as harness:
            await refused(harness, "--listen", address, "--store", harness.store_url, code=4, text=address)


async def test_the_port_of_another_node_is_taken_too(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=("billing",)) as shop:
        address = shop.harness.nodes["billing"].address
        await refused(
            shop.harness, "sales", "--listen", address, "--store", shop.harness.store_url, code=4, text=address
        )


async def test_an_unknown_service_ends_with_64_and_lists_those_there_are(tmp_path: Path) -> None:
    async with bare(tmp_path) as harness:
        finished = await harness.run_node("biling")
    assert finished.code == 64
    for word in ("biling", "sales", "billing", "warehouse", "orchestration"):
        assert word in finished.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--listen", "here"), "HOST:PORT"),
        (("--advertise", "node-1:0"), "the port that others dial"),
        (("--store", "mysql://host/db"), "postgresql://"),
        (("--store", "shop.db"), "sqlite:///"),
        (("--name", "a/b"), "without / # @"),
        (("--config", "missing.toml"), "missing.toml"),
    ],
    ids=str,
)
async def test_a_wrong_setting_ends_with_64_and_says_what_is_allowed(
    tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    async with bare(tmp_path) as harness:
        await refused(harness, *arguments, code=64, text=text)


async def test_a_file_that_is_no_database_ends_with_3_and_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.db"
    file.write_text("Dear Sir or Madam, " * 500)
    async with bare(tmp_path / "run") as harness:
        await refused(harness, "--listen", "127.0.0.1:0", "--store", f"sqlite:///{file}", code=3, text="letter.db")
    assert file.read_text() == "Dear Sir or Madam, " * 500


async def test_a_database_of_another_program_ends_with_3_and_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "music.db"
    foreign = sqlite3.connect(file)
    foreign.execute("create table songs(name text)")
    foreign.commit()
    foreign.close()
    before = file.read_bytes()
    async with bare(tmp_path / "run") as harness:
        await refused(harness, "--listen", "127.0.0.1:0", "--store", f"sqlite:///{file}", code=3, text="music.db")
    assert file.read_bytes() == before


@pytest.mark.parametrize("folder", ["/proc", "/no/such/folder"])
async def test_a_place_that_cannot_be_written_ends_with_3(tmp_path: Path, folder: str) -> None:
    async with bare(tmp_path) as harness:
        url = f"sqlite:///{folder}/amends.db"
        await refused(harness, "--listen", "127.0.0.1:0", "--store", url, code=3, text=folder)


async def test_a_store_that_a_foreign_program_holds_for_long_ends_with_3(tmp_path: Path) -> None:
    async with bare(tmp_path) as harness:
        await harness.start("first")
        await harness.nodes["first"].stop()
        holder = sqlite3.connect(harness.directory / "amends.db", isolation_level=None)
        holder.execute("begin immediate")
        try:
            await refused(
                harness,
                "--listen",
                "127.0.0.1:0",
                "--store",
                harness.store_url,
                code=3,
                text=f"amends.db is locked by process {os.getpid()}",
            )
        finally:
            holder.close()


async def test_work_goes_on_after_a_foreign_program_has_held_the_store_for_a_while(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        placing = asyncio.create_task(place_many(shop, "held", 40))
        await under_way(shop, "held", 10)
        holder = sqlite3.connect(shop.harness.directory / "amends.db", isolation_level=None, timeout=30)
        holder.execute("begin immediate")
        await asyncio.sleep(3.0)  # longer than a lease
        holder.close()
        await shop.ended(await placing, timeout_s=60)
        ids = [f"after-{number}" for number in range(4)]
        await asyncio.gather(*(shop.place(key, sku=BACK_ORDERED) for key in ids))
        await shop.ended(ids)
        await shop.check_books()
