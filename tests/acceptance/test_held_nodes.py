"""A handler that blocks its node, or does not return, is named by `explain`, with its node, for as long as it runs."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protos.billing_pb2 import BillOrder
from protos.sales_pb2 import OrderLine
from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.envelope import Envelope, message_id, shard_of
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.processes.harness import Harness

pytestmark = pytest.mark.timeout(240)

COMMAND = (sys.executable, str(Path(__file__).with_name("holding_node.py")))
HANDLER = "Holding.bill (BillOrder)"


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


async def put(harness: Harness, *rows: MailRow) -> None:
    assert await harness.store.commit([Transition(mail=rows)]) == [Verdict.COMMITTED]


class Repairer:
    """Who looks at the store, and at nothing else."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    async def shown(self, *command: str) -> Any:
        line = ["--store", self._harness.store_url, *command, "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, admin, line)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    async def waits_for(self, key: str) -> str:
        (account,) = await self.shown("explain", key)
        return "\n".join(account["waits_for"])

    async def until(self, key: str, *texts: str) -> str:
        """What `explain` says of a key, once all of these are in it."""

        async def said() -> str:
            lines = await self.waits_for(key)
            return lines if all(text in lines for text in texts) else ""

        return await self._harness.eventually(said, timeout_s=60, what=f"{key} is explained by {texts}")


async def test_a_handler_that_waits_or_blocks_is_named_until_it_ends_and_after_its_node_is_dead(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        operator = Repairer(harness)
        node = await harness.start("two")
        await put(harness, mail(1, "WAITS", "wait"), mail(2, "WAITS"))
        said = await operator.until("WAITS", f"its handler {HANDLER} has been running on node two for ")
        assert "handler_timeout_s" in said and "its turn to handle BillOrder" in said
        (listed,) = await operator.shown("nodes")
        assert [work["address"] for work in listed["busy"]] == ["billing/WAITS"]

        await put(harness, mail(3, "BLOCKS", "block"))
        said = await operator.until("BLOCKS", f"its handler {HANDLER} has been running on node two for ", "blocks its")
        assert "end the process of two" in said
        await put(harness, mail(4, "BEHIND"))
        await operator.until(
            "BEHIND", "its owner's event loop has been blocked for ", f"by {HANDLER} of billing/BLOCKS"
        )
        await operator.until("BLOCKS", "nothing else runs there, and it has lost its lease by that")
        assert HANDLER in await operator.waits_for("WAITS")

        (tmp_path / "go-on").touch()
        await operator.until("BLOCKS", "nothing: no mail waits for it")
        await operator.until("BEHIND", "nothing: no mail waits for it")
        await operator.until("WAITS", f"its handler {HANDLER} has been running on node two for ")
        node.kill()
        said = await operator.until("WAITS", f"was last busy with its handler {HANDLER}")
        assert "two@" in said and "has been running" not in said


async def test_each_node_that_one_handler_blocks_is_named_though_its_lease_is_lost_and_its_shards_are_taken(
    tmp_path: Path,
) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        operator = Repairer(harness)
        for name in ("one", "two"):
            await harness.start(name)
        await put(harness, mail(1, "BLOCKS", "block"))
        await operator.until("BLOCKS", "running on node one for ", "running on node two for ")
        (tmp_path / "go-on").touch()
        await operator.until("BLOCKS", "nothing: no mail waits for it")
        assert [await node.stop() for node in harness.nodes.values()] == [0, 0]
        assert await harness.store.busy() == []
