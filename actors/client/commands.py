"""The command line that people place orders with: python -m actors.client COMMAND

    command ──request──▶ Shop ──gRPC──▶ any node ──▶ OrderService
    screen, exit code ◀──order, or why not──┘

A signal ends a command with 128 and its number; a load shows what came of it until then.

Exit codes: 0 done · 1 failed · 2 bad input · 3 no node answers · 4 not found · 5 refused · 6 no answer in time
7 done, but it could not be shown; the id is on stderr
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec

import click
import grpc
import grpc.aio
from rich.console import Console

from actors.client import load, screen
from actors.client.arguments import CENTS, INT64_MAX, QUANTITY, Address, OptionText
from actors.client.shop import NO_NODE, RequestFailed, Shop
from protos import orders_pb2_grpc
from protos.orders_pb2 import (
    CancelOrderRequest,
    GetOrderRequest,
    GetStockRequest,
    Order,
    PlaceOrderRequest,
    RestockRequest,
    WatchOrderRequest,
)
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, OrderStatus
from runtime.adapters import SystemIds, check_open_files
from runtime.errors import InvalidSettings
from runtime.observe.console import say_json
from runtime.observe.signals import Ended, until_told

__all__ = ["main"]

CALL_S = 30.0
_OPEN_FILES_MIN = 32

_ENDED = (READY_TO_SHIP, CANCELLED)
_FLOWS = {"orchestration": ORCHESTRATION, "choreography": CHOREOGRAPHY}
P = ParamSpec("P")


_FLOW = click.Choice(tuple(_FLOWS), case_sensitive=False)


def _command(
    function: Callable[Concatenate[Shop, P], Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """A command from a coroutine. It takes --node and --json too, and what a node refuses becomes an exit code."""

    @wraps(function)
    def run(shop: Shop, /, *args: P.args, **options: P.kwargs) -> None:
        told: list[signal.Signals] = []
        try:
            asyncio.run(until_told(function(shop, *args, **options), told))
        except Ended:
            pass
        except RequestFailed:
            if not told:
                raise
        except grpc.aio.AioRpcError as error:
            shop.fail(error)
        if told:
            text = f"ended by {told[0].name}; what was sent is still carried out{shop.repeated()}"
            raise RequestFailed(text, 128 + told[0])

    node = click.option("--node", type=Address(), expose_value=False, callback=_with_node, help="As before COMMAND.")
    as_json = click.option("--json", is_flag=True, expose_value=False, callback=_with_json, help="As before COMMAND.")
    return node(as_json(click.pass_obj(run)))


def _with_node(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        context.obj = replace(context.obj, node=value)


def _with_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.obj = replace(context.obj, as_json=True)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 no node answers, 4 not found, 5 refused, 6 no answer in time, "
    "7 done, but could not be shown.",
)
@click.option(
    "--node",
    type=Address(),
    default="127.0.0.1:7650",
    show_default=True,
    envvar="AMENDS_NODE",
    show_envvar=True,
    help="Any node of the order system.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def main(context: click.Context, node: str, as_json: bool) -> None:
    """Place orders, follow them, and keep the warehouse stocked."""
    try:
        check_open_files(_OPEN_FILES_MIN)
    except InvalidSettings as error:
        raise click.ClickException(str(error)) from error
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what its core notes of connections is not for people
    context.obj = Shop(node, as_json)


@main.command()
@click.option("--sku", type=OptionText(), required=True, help="What to order.")
@click.option("--quantity", type=QUANTITY, required=True, metavar="N", help="How many of it.")
@click.option("--amount", type=CENTS, required=True, metavar="CENTS", help="What to pay, in cents.")
@click.option("--order-id", type=OptionText(), help="The same id again gives the same order.  [default: a new one]")
@click.option("--flow", type=_FLOW, default="orchestration", show_default=True, help="Who drives the order.")
@click.option("--watch", is_flag=True, help="Show each change until the order has ended.")
@_command
async def place(shop: Shop, sku: str, quantity: int, amount: int, order_id: str | None, flow: str, watch: bool) -> None:
    """Place an order."""
    request = PlaceOrderRequest(
        order_id=order_id or shop.new_id("--order-id"),
        sku=sku,
        quantity=quantity,
        amount_cents=amount,
        flow=_FLOWS[flow.lower()],
    )
    async with shop.stub() as stub:
        order = await stub.PlaceOrder(request, timeout=CALL_S)
        await _show_or_follow(shop, stub, order, watch)


@main.command()
@click.argument("order_id", type=OptionText())
@_command
async def get(shop: Shop, order_id: str) -> None:
    """Show an order."""
    async with shop.stub() as stub:
        shop.show(await stub.GetOrder(GetOrderRequest(order_id=order_id), timeout=CALL_S))


@main.command()
@click.argument("order_id", type=OptionText())
@_command
async def watch(shop: Shop, order_id: str) -> None:
    """Show an order, and each change until it has ended."""
    async with shop.stub() as stub:
        await _follow(shop, stub, order_id)


@main.command()
@click.argument("order_id", type=OptionText())
@click.option(
    "--reason", type=OptionText(), default="cancelled by its client", show_default=True, help="Kept with the order."
)
@click.option("--watch", is_flag=True, help="Show each change until the order has ended.")
@_command
async def cancel(shop: Shop, order_id: str, reason: str, watch: bool) -> None:
    """Cancel an order, unless it is too late for that."""
    async with shop.stub() as stub:
        order = await stub.CancelOrder(CancelOrderRequest(order_id=order_id, reason=reason), timeout=CALL_S)
        await _show_or_follow(shop, stub, order, watch)


@main.command()
@click.option("--sku", type=OptionText(), required=True, help="What to put in.")
@click.option("--quantity", type=QUANTITY, required=True, metavar="N", help="How many of it.")
@click.option("--request-id", type=OptionText(), help="The same id again adds nothing.  [default: a new one]")
@_command
async def restock(shop: Shop, sku: str, quantity: int, request_id: str | None) -> None:
    """Put goods into the warehouse."""
    request = RestockRequest(sku=sku, quantity=quantity, request_id=request_id or shop.new_id("--request-id"))
    async with shop.stub() as stub:
        shop.show(await stub.Restock(request, timeout=CALL_S))


@main.command()
@click.option("--sku", type=OptionText(), required=True, help="What to look up.")
@_command
async def stock(shop: Shop, sku: str) -> None:
    """Show what the warehouse has of a SKU."""
    async with shop.stub() as stub:
        shop.show(await stub.GetStock(GetStockRequest(sku=sku), timeout=CALL_S))


@main.command("load")
@click.option("--orders", type=click.IntRange(1, 10_000_000), required=True, metavar="N", help="How many to place.")
@click.option(
    "--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True, metavar="C", help="At a time."
)
@click.option("--sku", type=OptionText(), help="Restocked with enough for all.  [default: a new one]")
@click.option("--quantity", type=QUANTITY, default=1, show_default=True, metavar="N", help="Of each order.")
@click.option("--amount", type=CENTS, default=100, show_default=True, metavar="CENTS", help="Of each order.")
@click.option("--flow", type=_FLOW, default="orchestration", show_default=True, help="Who drives the orders.")
@click.option("--no-restock", is_flag=True, help="Leave the stock as it is: what it lacks is back-ordered.")
@_command
async def load_(
    shop: Shop, orders: int, concurrency: int, sku: str | None, quantity: int, amount: int, flow: str, no_restock: bool
) -> None:
    """Place many orders, wait for each to end, and sum up. Exits with 1 if an order did not end."""
    if orders * quantity > INT64_MAX:
        raise click.UsageError("--orders times --quantity is more than a warehouse can count")
    plan = load.LoadPlan(
        orders=orders,
        concurrency=concurrency,
        sku=sku or f"SKU-{SystemIds().new_id().hex()[:8]}",
        quantity=quantity,
        amount_cents=amount,
        flow=_FLOWS[flow.lower()],
        restock=not no_restock,
    )
    async with shop.stub() as stub:
        summary = await load.run(stub, plan, Console(stderr=True, quiet=shop.as_json))
    show = partial(say_json, summary.plain()) if shop.as_json else partial(Console().print, summary.table())
    shop.shown(f"the load is done: {summary.plain()}", show)
    if summary.failed:
        raise RequestFailed(
            f"{summary.failed} of {orders} orders did not end; the first error: {summary.first_error}", 1
        )


async def _show_or_follow(shop: Shop, stub: orders_pb2_grpc.OrderServiceAsyncStub, order: Order, follow: bool) -> None:
    if follow:
        await _follow(shop, stub, order.order_id)
    else:
        shop.show(order)


async def _follow(shop: Shop, stub: orders_pb2_grpc.OrderServiceAsyncStub, order_id: str) -> None:
    order = Order(order_id=order_id)
    async for order in stub.WatchOrder(WatchOrderRequest(order_id=order_id)):
        shop.show(order)
    if order.status not in _ENDED:  # the node has stopped, say
        status = screen.name_of(OrderStatus, order.status)
        text = f"the watch ended before order {order_id} did, which is {status} as far as is known; watch it again"
        raise RequestFailed(text, NO_NODE)
