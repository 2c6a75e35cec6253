"""How the client's commands end in the middle: by a signal, without an answer, with an output that takes nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from actors.gateway import OrderService
from protos import orders_pb2_grpc
from protos.orders_pb2 import Order, PlaceOrderRequest, RestockRequest, Stock
from protos.sales_pb2 import READY_TO_SHIP
from runtime.adapters import AsyncioTasks

ROOT = Path(__file__).parents[3]
ENDED_MAX = 5
PLACE = ("place", "--sku", "CUP", "--quantity", "2", "--amount", "500")


class _Stalling(OrderService):
    """Answers a few orders, and then nobody any more."""

    def __init__(self) -> None:  # it has nothing to send commands with
        self.ids: list[str] = []
        self.stalled = asyncio.Event()

    async def Restock(self, request: RestockRequest, context: Any) -> Stock:  # noqa: N802
        if request.sku == "SLOW":
            await self._stall(request.request_id)
        return Stock(sku=request.sku)

    async def PlaceOrder(self, request: PlaceOrderRequest, context: Any) -> Order:  # noqa: N802
        if request.sku == "NONE":
            self.ids.append(request.order_id)
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too slow")
        if len(self.ids) >= ENDED_MAX or not request.wait:
            await self._stall(request.order_id)
        self.ids.append(request.order_id)
        return Order(order_id=request.order_id, status=READY_TO_SHIP)

    async def _stall(self, id: str) -> None:
        self.ids.append(id)
        self.stalled.set()
        await asyncio.Event().wait()


@pytest.fixture
async def stalling() -> _Stalling:
    return _Stalling()


@pytest.fixture
async def node(stalling: _Stalling) -> AsyncIterator[str]:
    server = grpc.aio.server()
    orders_pb2_grpc.add_OrderServiceServicer_to_server(stalling, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def _client(node: str, *arguments: str, stdout: Any = PIPE) -> Process:
    command = (sys.executable, "-m", "actors.client", "--node", node, *arguments)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=stdout, stderr=PIPE)


async def _told(process: Process, stalling: _Stalling, number: signal.Signals) -> tuple[int | None, str, str]:
    await stalling.stalled.wait()
    process.send_signal(number)
    out, err = await process.communicate()
    assert b"Traceback" not in err
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_load_that_is_ended_shows_what_came_of_it(
    node: str, stalling: _Stalling, number: signal.Signals
) -> None:
    process = await _client(node, "--json", "load", "--orders", "50", "--concurrency", "1")
    code, out, err = await _told(process, stalling, number)
    assert (code, json.loads(out)["ends"]) == (128 + number, {"READY_TO_SHIP": ENDED_MAX})
    assert f"ended by {number.name}; what was sent is still carried out" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("arguments", "option"), [(PLACE, "--order-id"), (("restock", "--sku", "SLOW", "--quantity", "1"), "--request-id")]
)
async def test_a_request_that_is_left_tells_the_id_that_it_was_given(
    node: str, stalling: _Stalling, arguments: tuple[str, ...], option: str, number: signal.Signals
) -> None:
    code, _, err = await _told(await _client(node, *arguments), stalling, number)
    assert code == 128 + number
    assert f"to ask for the same again: {option} {stalling.ids[0]}\n" in err


async def test_so_does_one_without_an_answer(node: str, stalling: _Stalling) -> None:
    process = await _client(node, *PLACE, "--sku", "NONE")
    _, err = await process.communicate()
    assert (process.returncode, f"--order-id {stalling.ids[0]}" in err.decode()) == (6, True)


async def test_one_that_was_given_its_id_is_told_nothing_new(node: str, stalling: _Stalling) -> None:
    process = await _client(node, *PLACE, "--sku", "NONE", "--order-id", "ORD-7")
    _, err = await process.communicate()
    assert (process.returncode, "again: " in err.decode()) == (6, False)


async def test_a_load_that_cannot_be_shown_is_told_on_standard_error(node: str, stalling: _Stalling) -> None:
    with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230 # a device
        process = await _client(node, "--json", "load", "--orders", str(ENDED_MAX), stdout=full)
        _, err = await process.communicate()
    assert process.returncode == 7
    assert f"the load is done: {{'orders': {ENDED_MAX}," in err.decode()


async def test_a_signal_that_is_ignored_stays_ignored(node: str, stalling: _Stalling) -> None:
    command = ("nohup", sys.executable, "-m", "actors.client", "--node", node, *PLACE)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    waiting = AsyncioTasks().start(process.communicate(), name="the client")
    await stalling.stalled.wait()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, err = await waiting
    assert (process.returncode, b"ended by SIGTERM" in err) == (128 + signal.SIGTERM, True)
