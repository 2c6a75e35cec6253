"""A node at which too much waits refuses new commands, tells operators so, and loses nothing of what it has taken."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState
from protos.sales_pb2 import OrderLine
from runtime import connect
from runtime.gateway.codes import PUSHBACK
from runtime.protos import client_pb2, client_pb2_grpc
from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import ROOT

pytestmark = pytest.mark.timeout(300)

NODE = (sys.executable, str(ROOT / "tests" / "acceptance" / "holding_node.py"))
HELD = 6
NEW = BillOrder(order_id="NEW", amount_cents=1)


def held() -> BillOrder:
    return BillOrder(order_id="HELD", amount_cents=1, line=OrderLine(sku="hold"))


async def warnings(harness: Harness) -> str:
    """What an operator is warned of, in another process."""
    command = (sys.executable, "-m", "runtime.admin", "--store", harness.store_url, "nodes")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said
    return said.decode()


async def is_refused(address: str) -> None:
    """A client in any language is told why, and when to come again."""
    request = client_pb2.CommandRequest(type="shop.BillOrder", body=NEW.SerializeToString(), id=b"\xff" + bytes(15))
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=f"more than its backlog_max of {HELD - 1}") as caught:
            await client_pb2_grpc.ClientStub(channel).Ask(request, timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(caught.value.trailing_metadata() or ())[PUSHBACK]) >= 200


async def test_new_commands_are_refused_while_too_much_waits_and_done_once_it_is_done(tmp_path: Path) -> None:
    settings: dict[str, object] = {"log_format": "json", "sweep_s": 0.2, "backlog_max": HELD - 1}
    async with Harness(command=NODE, directory=tmp_path, settings=settings, start_timeout_s=90.0) as harness:
        node = await harness.start("till", ["billing"])
        async with connect(node.address, contracts=[billing_pb2, sales_pb2]) as client:
            for _ in range(HELD):
                await client.send(held(), timeout=60)

            async def is_told() -> bool:
                return "till has refused new commands for" in await warnings(harness)

            await harness.eventually(is_told, timeout_s=60, what="the node refuses new commands", every_s=0.3)
            await is_refused(node.address)
            assert await client.read("billing", "NEW") is None, "nothing was accepted"
            waiting = asyncio.create_task(client.ask(NEW, timeout=120))
            (tmp_path / "go-on").touch()
            assert not (await waiting).fault
            found = await client.read("billing", "HELD")
            assert found is not None and isinstance(found.state, BillState)
            assert found.state.charges == HELD, "what was taken is done, and once"
            await harness.eventually(
                lambda: _is_gone(harness), timeout_s=60, what="the node takes commands again", every_s=0.3
            )
        log = node.output()
        assert log.index("commands refused") < log.index("commands taken")


async def _is_gone(harness: Harness) -> bool:
    return "refused new commands" not in await warnings(harness)
