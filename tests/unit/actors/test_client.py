"""The client's command line: what it sends, what it shows, and how it fails."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc.aio
import pytest
from click.testing import CliRunner
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from actors.billing import Billing
from actors.client.commands import main
from actors.client.load import percentile
from actors.client.screen import order_text, plain
from actors.gateway import OrderService, register
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import orders_pb2_grpc
from protos.orders_pb2 import Order, Stock, WatchOrderRequest
from protos.sales_pb2 import CANCELLED, ORCHESTRATION, PENDING, READY_TO_SHIP, OrderLine, OrderState, PlaceOrder
from runtime.adapters import system_ports
from runtime.durable.client import Client, CommandOutcome
from runtime.gateway.interceptors import EdgeInterceptor
from tests.unit.actors.memory_client import MemoryClient

ROOT = Path(__file__).parents[3]


class _EndingOrders(MemoryClient):
    """Orders end as soon as they are placed: those of the SKU `none` are cancelled."""

    async def ask(self, command: Message, **options: Any) -> CommandOutcome:
        reply = await super().ask(command, **options)
        if isinstance(command, PlaceOrder):
            state = cast(OrderState, self.states["sales", command.order_id])
            state.status = CANCELLED if command.line.sku == "none" else READY_TO_SHIP
            self.change("sales", command.order_id, state)
        return reply


@pytest.fixture
async def node() -> AsyncIterator[str]:
    server = grpc.aio.server(interceptors=[EdgeInterceptor(system_ports())])
    register(server, cast(Client, _EndingOrders(services=(Sales, Billing, Warehouse))))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def _run(*arguments: str, node: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "actors.client",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "AMENDS_NODE": node},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err
    return process.returncode, out.decode(), err.decode()


def _place(*more: str) -> tuple[str, ...]:
    return ("place", "--sku", "CUP", "--quantity", "2", "--amount", "500", *more)


# --- against a node ---


async def test_an_order_is_placed_shown_and_followed_to_its_end(node: str) -> None:
    code, out, _ = await _run(*_place("--order-id", "ORD-1"), node=node)
    assert (code, out) == (0, "ORD-1  PENDING  2 x CUP for 5.00, orchestration\n")
    code, out, _ = await _run("get", "ORD-1", "--json", node=node)
    assert (code, json.loads(out)["status"], json.loads(out)["amount_cents"]) == (0, "READY_TO_SHIP", 500)
    code, out, _ = await _run("watch", "ORD-1", node=node)
    assert (code, out.count("READY_TO_SHIP")) == (0, 1)


async def test_a_placement_is_watched_until_the_order_ends(node: str) -> None:
    code, out, _ = await _run("--json", *_place("--flow", "choreography", "--watch"), node=node)
    order = json.loads(out.splitlines()[-1])
    assert (code, order["status"], order["flow"]) == (0, "READY_TO_SHIP", "CHOREOGRAPHY")
    assert order["order_id"].startswith("ORD-")


async def test_a_watch_that_ends_before_its_order_is_no_success() -> None:
    """As that of a node that stops: what came was shown, and the order goes on elsewhere."""

    class Stopping(OrderService):
        def __init__(self) -> None:
            """It has nothing to send commands with."""

        async def WatchOrder(self, request: WatchOrderRequest, context: Any) -> AsyncIterator[Order]:  # noqa: N802
            yield Order(order_id=request.order_id, status=PENDING, flow=ORCHESTRATION)

    server = grpc.aio.server()
    orders_pb2_grpc.add_OrderServiceServicer_to_server(Stopping(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    code, out, err = await _run("watch", "ORD-1", node=f"127.0.0.1:{port}")
    await server.stop(None)
    assert (code, "ORD-1  PENDING" in out) == (3, True)
    assert "the watch ended before order ORD-1 did, which is PENDING" in err


async def test_an_order_that_cannot_be_shown_is_placed_and_its_id_told(node: str) -> None:
    for status, options in (("PENDING", ()), ("READY_TO_SHIP", ("--json",))):
        with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230 # a device
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "actors.client", "--node", node, *_place("--order-id", "ORD-7", *options)),
                cwd=ROOT,
                stdout=full,
                stderr=asyncio.subprocess.PIPE,
            )
            _, err = await process.communicate()
        assert (process.returncode, err.decode()) == (
            7,
            f"Error: order ORD-7 is {status}, and the output could not be written\n",
        )


async def test_an_order_nobody_placed_is_a_clear_error(node: str) -> None:
    assert await _run("get", "ORD-9", node=node) == (4, "", "Error: there is no order 'ORD-9'\n")


async def test_the_same_id_for_another_order_is_refused(node: str) -> None:
    await _run(*_place("--order-id", "ORD-1"), node=node)
    code, _, err = await _run(*_place("--order-id", "ORD-1", "--flow", "choreography"), node=node)
    assert (code, "flow is ORCHESTRATION, not CHOREOGRAPHY" in err) == (5, True)


async def test_a_cancellation_that_comes_too_late_is_refused_with_the_reason(node: str) -> None:
    await _run(*_place("--order-id", "ORD-1"), node=node)
    assert await _run("cancel", "ORD-1", node=node) == (5, "", "Error: the order is ready to ship\n")


async def test_stock_is_put_in_and_shown_and_counted_once_for_each_request(node: str) -> None:
    code, out, _ = await _run("restock", "--sku", "CUP", "--quantity", "5", node=node)
    assert (code, out) == (0, "CUP  5 on hand: 5 put in, 0 labelled, 0 put back; 0 labels, 0 voided, 0 back orders\n")
    code, out, _ = await _run("stock", "--sku", "CUP", "--json", node=node)
    assert (code, json.loads(out)["on_hand"]) == (0, 5)


async def test_a_load_sums_up_rate_percentiles_and_ends(node: str) -> None:
    code, out, err = await _run("load", "--orders", "40", "--concurrency", "8", "--json", node=node)
    summary = json.loads(out)
    assert (code, err, summary["ends"], summary["failed"]) == (0, "", {"READY_TO_SHIP": 40}, 0)
    assert summary["p50_ms"] <= summary["p90_ms"] <= summary["p99_ms"]
    assert summary["orders_per_s"] > 0


async def test_a_load_is_readable_too(node: str) -> None:
    code, out, err = await _run("load", "--orders", "4", "--sku", "none", "--flow", "choreography", node=node)
    assert code == 0
    assert "CANCELLED" in out
    assert "4/4" in err


async def test_when_no_node_answers_it_says_where_it_asked() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        node = f"127.0.0.1:{unused.getsockname()[1]}"
        code, out, err = await _run("get", "ORD-1", node=node)
    assert (code, out) == (3, "")
    assert err.startswith(f"Error: no node answers at {node}")


# --- bad input, refused before anything is sent ---


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (_place("--quantity", "0"), "0 is not in the range 1<=x<=9223372036854775807"),
        (_place("--quantity", "-3"), "-3 is not in the range"),
        (_place("--quantity", str(2**63)), "9223372036854775808 is not in the range"),
        (_place("--quantity", "two"), "'two' is not a valid integer range"),
        (_place("--amount", "-1"), "-1 is not in the range x>=0"),
        (_place("--order-id", ""), "must not be empty"),
        (_place("--sku", "\udcff"), "is no valid Unicode text"),
        (_place("--flow", "anarchy"), "'anarchy' is not one of 'orchestration', 'choreography'"),
        (("place",), "Missing option '--sku'"),
        (("get",), "Missing argument 'ORDER_ID'"),
        (("--node", "nowhere", "get", "X"), "'nowhere' is no HOST:PORT"),
        (("get", "X", "--node", "127.0.0.1:0"), "'127.0.0.1:0' is no HOST:PORT"),
        (("load", "--orders", "0"), "0 is not in the range"),
        (("load", "--orders", "10", "--quantity", str(2**62)), "more than a warehouse can count"),
        (("sell",), "No such command 'sell'"),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(arguments: tuple[str, ...], text: str) -> None:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2
    assert text in result.output.replace("0<=x<=9223372036854775807", "x>=0")


@pytest.mark.parametrize("command", ["place", "get", "watch", "cancel", "restock", "stock", "load"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "--node" in result.output
    assert "--json" in result.output


# --- what it shows ---


def test_text_from_outside_can_neither_style_nor_steer_the_terminal() -> None:
    order = Order(order_id="[red]x[/]\x1b[2J\u202e", line=OrderLine(sku="CUP", quantity=1), status=CANCELLED)
    text = order_text(order)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\[red]" in text


def test_whole_numbers_stay_numbers_in_json() -> None:
    assert plain(Stock(sku="42", on_hand=2**62))["on_hand"] == 2**62
    assert plain(Stock(sku="42"))["sku"] == "42"
    order = plain(Order(order_id="7", line=OrderLine(sku="CUP", quantity=3), status=READY_TO_SHIP))
    assert (order["order_id"], order["line"]["quantity"], order["status"]) == ("7", 3, "READY_TO_SHIP")


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    value = percentile(ordered, percent)
    assert value in ordered
    assert sum(one <= value for one in ordered) * 100 >= percent * len(ordered)


def test_the_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 50) == 0.0
