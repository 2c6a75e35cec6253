"""Commands of operators that act on many are killed with -9 in the middle, and another one carries the run on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import BackOrdered
from runtime.adapters import system_ports
from runtime.envelope import Envelope, message_id, shard_of
from runtime.operate.repair_runs import KIND
from runtime.operate.runs import kept_run
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.store.records import ActorRow, Expected, MailRow, Outcome, Transition
from runtime.testing.transcript import SagaTranscript
from tests.acceptance.shop import ROOT, SHARDS, open_shop
from tests.unit.operate.rows import TALK, fill, id_of, mail, row_of

pytestmark = pytest.mark.timeout(300)

KEYS = [f"ORD-{number:03}" for number in range(250)]


def stuck(key: str, number: int) -> ActorRow:
    story = SagaTranscript(OrderProcess).given(OrderPlaced(order_id=key, amount_cents=500))
    story.given(OrderBilled(order_id=key, charge_id="CH-1", amount_cents=500)).given(BackOrdered(order_id=key))
    while story.status != "stuck":
        story.given_fault("bank closed")
        if story.status != "stuck":
            story.given_silence()
    record = SagaRecord.FromString(story.record.SerializeToString())
    record.conversation = id_of(1_000 + number)
    return replace(row_of(record, key), shard=shard_of(key, SHARDS))


async def put(store: Store, *rows: ActorRow) -> None:
    await store.commit([Transition(actor=row, expected=Expected(0, b"")) for row in rows])


async def admin(url: str, *arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "runtime.admin", "--store", url, *arguments)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env={**os.environ}, stdout=pipe, stderr=pipe)


async def test_s138_a_run_killed_in_the_middle_is_resumed_and_acts_on_each_saga_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path, settings={"sweep_s": 0.3}) as shop:
        store, url = shop.harness.store, shop.harness.store_url
        await put(store, *(stuck(key, number) for number, key in enumerate(KEYS)))
        act = ("abandon", "--name", "tests", "--status", "stuck", "--reason", "test orders", "--limit", "1000", "--yes")
        first = await admin(url, "repair-many", *act)

        async def page_is_done() -> bool:
            (row,) = await store.load([(KIND, "tests")])
            return row is not None and 0 < (await kept_run(store, KIND, "tests")).left < len(KEYS)

        await shop.harness.eventually(page_is_done, timeout_s=60, what="a page of the run is done", every_s=0.01)
        first.send_signal(signal.SIGKILL)
        assert await first.wait() == -signal.SIGKILL
        await put(store, stuck("LATER", 999))
        second = await admin(url, "runs", "resume", "tests", "--json")
        said, errors = await second.communicate()
        assert second.returncode == 0, errors.decode()
        told = json.loads(said)
        assert (told["done"], told["refused"], told["left"]) == (len(KEYS), 0, 0)
        rows = await store.load([("order-process", key) for key in [*KEYS, "LATER"]])
        *records, later = (SagaRecord.FromString(row.state) for row in rows if row is not None)
        assert {(one.status, len(one.repairs)) for one in records} == {(SagaRecord.ABANDONED, 1)}
        assert (later.status, len(later.repairs)) == (SagaRecord.STUCK, 0)


async def test_letters_of_a_command_that_was_killed_are_each_replayed_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/letters.db"
    store = open_store(url, system_ports())
    await store.open()
    await fill(store, *(mail(number, parked="OSError: the bank is down") for number in range(1, 301)))
    act = ("--class", "OSError", "--name", "bank", "--reason", "the bank is back", "--limit", "1000", "--yes")
    first = await admin(url, "dead-letters", "replay-many", *act)

    async with asyncio.timeout(60):
        while len(await store.dead_letters(limit=1_000)) == 300:
            await asyncio.sleep(0)
    first.send_signal(signal.SIGKILL)
    assert await first.wait() == -signal.SIGKILL
    assert 0 < len(await store.dead_letters(limit=1_000)) < 300, "it was killed in the middle"
    second = await admin(url, "runs", "resume", "bank", "--json")
    said, errors = await second.communicate()
    assert second.returncode == 0, errors.decode()
    told = json.loads(said)
    assert (told["done"], told["refused"], told["left"]) == (300, 0, 0)
    acts = [row for row in await store.conversation(TALK) if row.type == "replayed"]
    assert (len(acts), await store.dead_letters(limit=1)) == (300, [])
    await store.close()


def parked_bill(order_id: str, now_s: float) -> MailRow:
    """A command to bill an order, which a node has given up."""
    command, id = BillOrder(order_id=order_id, amount_cents=500), message_id(now_s, order_id.encode(), 0, "a test")
    envelope = Envelope(
        id=id,
        kind="billing",
        key=order_id,
        type=command.DESCRIPTOR.full_name,
        body=command.SerializeToString(),
        conversation=id,
        sender="sales/ORD-1",
        sent_at_s=now_s,
    )
    shard = shard_of(order_id, SHARDS)
    return MailRow("billing", order_id, shard, id, id, now_s, 0, 0.0, 3, "OSError: down", now_s, envelope.encoded)


async def test_a_node_that_is_killed_in_the_middle_of_a_run_bills_each_order_once(tmp_path: Path) -> None:
    async with open_shop(
        tmp_path, nodes=["billing"], settings={"sweep_s": 0.1, "lease_s": 2.0, "renew_s": 0.5}
    ) as shop:
        store, node = shop.harness.store, shop.harness.nodes["billing"]
        now_s = await store.now_s()
        letters = [parked_bill(key, now_s) for key in KEYS]
        await store.commit([Transition(mail=(letter,)) for letter in letters])
        act = (
            "--kind",
            "billing",
            "--name",
            "bank",
            "--reason",
            "it is up again",
            "--limit",
            "1000",
            "--yes",
            "--json",
        )
        command = await admin(shop.harness.store_url, "dead-letters", "replay-many", *act)

        async def bills() -> list[BillState]:
            rows = await store.load([("billing", key) for key in KEYS])
            return [BillState.FromString(row.state) for row in rows if row is not None]

        async with asyncio.timeout(60):
            while not await bills():
                await asyncio.sleep(0.005)
        node.kill()
        assert 0 < len(await bills()) < len(KEYS), "it was killed in the middle"
        await shop.harness.restart("billing")
        said, errors = await command.communicate()
        assert command.returncode == 0, errors.decode()
        told = json.loads(said)
        assert (told["done"], told["refused"], told["left"]) == (len(KEYS), 0, 0)

        async def all_are_billed() -> bool:
            return len(await bills()) == len(KEYS)

        await shop.harness.eventually(all_are_billed, timeout_s=60, what="all orders are billed")
        assert {one.charges for one in await bills()} == {1}
        rows = await store.handled([(letter.conversation, letter.id) for letter in letters])
        assert {row.outcome for row in rows if row is not None} == {Outcome.HANDLED} and None not in rows
        assert await store.dead_letters(limit=1) == []
