"""A program outside the cluster whose node is killed between taking its command and answering it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protos import billing_pb2
from protos.billing_pb2 import BillOrder, BillState
from runtime import connect
from runtime.errors import LinkLost
from tests.acceptance.shop import open_shop

pytestmark = pytest.mark.timeout(300)

ID = b"\xff" + bytes(15)
BILL = BillOrder(order_id="ORD-1", amount_cents=5)


async def test_a_command_whose_node_is_killed_before_it_answers_is_handled_once_under_its_id(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=["sales"]) as shop:  # nobody can handle it yet
        sales = shop.harness.nodes["sales"]
        async with connect(sales.address, contracts=[billing_pb2], patience=0.5) as client:
            asking = asyncio.create_task(client.ask(BILL, message_id=ID))

            async def is_accepted() -> bool:
                return bool(await shop.harness.store.mail_of_conversation(ID))

            await shop.harness.eventually(is_accepted, timeout_s=30, what="the command is accepted")
            sales.kill()
            with pytest.raises(LinkLost, match="no node answers at"):
                await asking
        billing = await shop.harness.start("billing", ["billing"])
        async with connect(sales.address or "127.0.0.1:1", billing.address, contracts=[billing_pb2]) as client:
            for _ in range(2):
                outcome = await client.ask(BILL, message_id=ID, timeout=60)
                assert (outcome.id, outcome.fault) == (ID, "")
            found = await client.read("billing", "ORD-1")
            assert found is not None and isinstance(found.state, BillState)
            assert (found.revision, found.state.charges) == (1, 1)
