"""What a handler begins by itself may try to end the process: it ends no node, and what awaited it has failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from protos.billing_pb2 import BillOrder, BillState
from protos.sales_pb2 import OrderLine
from runtime.adapters import system_ports
from runtime.envelope import Envelope, message_id, shard_of
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.processes.harness import Harness

pytestmark = pytest.mark.timeout(120)

COMMAND = (sys.executable, str(Path(__file__).with_name("leaving_node.py")))
AWAITED = ("task", "gather", "group")


def mail(number: int, sku: str) -> MailRow:
    now_s = system_ports().clock.now_s()
    command = BillOrder(order_id=sku, amount_cents=100, line=OrderLine(sku=sku))
    envelope = Envelope(
        id=message_id(now_s, b"", number, f"billing/{sku}"),
        kind="billing",
        key=sku,
        type="shop.BillOrder",
        body=command.SerializeToString(),
        conversation=sku.encode().ljust(16, b"-"),
        sent_at_s=now_s + number / 1000,
        sequence=number,
    )
    return MailRow.of(envelope, shard_of(sku, 16))


async def test_an_exit_of_what_a_handler_has_begun_ends_no_node(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        node = await harness.start("alone")
        rows = tuple(mail(number, sku) for number, sku in enumerate((*AWAITED, "forgotten", "fine")))
        assert await harness.store.commit([Transition(mail=rows)]) == [Verdict.COMMITTED]

        async def parked() -> bool:
            return len(await harness.store.dead_letters(limit=9)) == len(AWAITED)

        async def charged() -> bool:
            found = await harness.store.load([("billing", key) for key in ("forgotten", "fine")])
            return [BillState.FromString(row.state).charges for row in found if row] == [1, 1]

        await harness.eventually(parked, timeout_s=30, what="what awaited an exit is parked")
        await harness.eventually(charged, timeout_s=30, what="what did not is handled, and so are others")
        assert {letter.key for letter in await harness.store.dead_letters(limit=9)} == set(AWAITED)
        for letter in await harness.store.dead_letters(limit=9):
            assert "SystemExit" in letter.parked
        told = [one for one in node.log_records() if "ends no node" in one["event"]]
        assert {one["reason"] for one in told} == {"SystemExit: 9"}
        assert any("leaving_node.py" in one["stack"] for one in told), told
        assert await node.stop() == 0
