"""A message that kills whoever handles it is parked after a few of them; what waits beside it goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from protos.billing_pb2 import BillOrder, BillState
from protos.sales_pb2 import OrderLine
from runtime.adapters import system_ports
from runtime.envelope import Envelope, message_id, shard_of
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.process import ProcessFailed

pytestmark = pytest.mark.timeout(300)

COMMAND = (sys.executable, str(Path(__file__).with_name("deadly_node.py")))
NEIGHBOURS = [f"N-{number}" for number in range(12)]


def mail(number: int, key: str, sku: str = "") -> MailRow:
    now_s = system_ports().clock.now_s()
    command = BillOrder(order_id=key, amount_cents=100, line=OrderLine(sku=sku))
    envelope = Envelope(
        id=message_id(now_s, b"", number, f"billing/{key}"),
        kind="billing",
        key=key,
        type="shop.BillOrder",
        body=command.SerializeToString(),
        conversation=key.encode().ljust(16, b"-"),
        sent_at_s=now_s + number / 1000,
        sequence=number,
    )
    return MailRow.of(envelope, shard_of(key, 16))


async def put(harness: Harness, sku: str) -> None:
    """One deadly message, with mail of its own actor before and after it, and of others."""
    rows = [mail(1, "DEADLY"), mail(2, "DEADLY", sku), mail(3, "DEADLY")]
    rows += [mail(4 + number, key) for number, key in enumerate(NEIGHBOURS)]
    assert await harness.store.commit([Transition(mail=tuple(rows))]) == [Verdict.COMMITTED]


async def settled(harness: Harness) -> bool:
    rows = await harness.store.load([("billing", key) for key in (*NEIGHBOURS, "DEADLY")])
    charges = [BillState.FromString(row.state).charges if row else 0 for row in rows]
    return charges == [1] * len(NEIGHBOURS) + [2]


async def until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    """As the harness waits, but nodes may end meanwhile."""
    for _ in range(600):
        if await check():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within 60 s: {what}")


async def the_letter(harness: Harness) -> MailRow:
    (letter,) = await harness.store.dead_letters(limit=10)
    return letter


@pytest.mark.parametrize("sku", ["exit", "fault"])
async def test_a_node_that_is_started_again_and_again_parks_what_has_killed_it_three_times(
    tmp_path: Path, sku: str
) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        node = await harness.start("alone")
        await put(harness, sku)
        await node.exited()
        deaths = 1
        while not await harness.store.dead_letters(limit=1):
            with suppress(ProcessFailed):  # it may die before it serves
                await harness.restart("alone")
            await until(lambda: over(harness), "it dies again, or parks the message")
            deaths += not node.alive
            assert deaths <= 3
        assert deaths == 3
        letter = await the_letter(harness)
        assert letter.key == "DEADLY"
        assert letter.parked.count("alone@") == 3
        assert "3 nodes have ended while it may have run" in letter.parked
        await until(lambda: settled(harness), "all others are handled")
        assert await node.stop() == 0


async def over(harness: Harness) -> bool:
    return not harness.nodes["alone"].alive or bool(await harness.store.dead_letters(limit=1))


async def test_nodes_that_take_over_one_after_another_do_not_all_die(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        names = [f"node-{number}" for number in range(5)]
        for name in names:
            await harness.start(name)
        await put(harness, "exit")

        async def parked() -> bool:
            return bool(await harness.store.dead_letters(limit=1))

        await until(parked, "the message is parked")
        assert "3 nodes have ended while it may have run" in (await the_letter(harness)).parked
        await until(lambda: settled(harness), "all others are handled")
        assert sum(harness.nodes[name].alive for name in names) == 2
