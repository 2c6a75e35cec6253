"""The order process on Restate: three kinds of virtual objects, and a workflow that calls them.

    OrderProcess/ORD-1 ─▶ Sales/ORD-1 ─▶ Billing/ORD-1 ─▶ Warehouse/SKU ─▶ Sales/ORD-1

Restate keeps the state of the objects, hands each call over once, and lets one call at a time change an object. Another
workflow, LocalOrderProcess, has each act of a service as a side effect of its own, which may be carried out twice.

`python -m bench.peers.restate_services PORT FILE` serves all of them over HTTP/2 without TLS on the loopback. The file
is the database of the services that the second workflow calls.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate.exceptions import TerminalError

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock
from bench.peers.services_in_sqlite import BackOrderedAtWarehouse, ServicesInSqlite

__all__: list[str] = []

sales = restate.VirtualObject("Sales")
billing = restate.VirtualObject("Billing")
warehouse = restate.VirtualObject("Warehouse")
process = restate.Workflow("OrderProcess")


@sales.handler()
async def place(ctx: restate.ObjectContext, order: dict[str, Any]) -> None:
    if await ctx.get("status") is None:
        ctx.set("status", "pending")
        ctx.set("order", order)


@sales.handler()
async def mark_ready(ctx: restate.ObjectContext) -> None:
    ctx.set("status", "ready")


@sales.handler()
async def cancel(ctx: restate.ObjectContext) -> None:
    ctx.set("status", "cancelled")


@sales.handler("status", kind="shared")
async def status_of(ctx: restate.ObjectSharedContext) -> str:
    return await ctx.get("status") or ""


@billing.handler()
async def bill(ctx: restate.ObjectContext, amount_cents: int) -> None:
    books = await ctx.get("bill") or {"charges": 0, "refunds": 0}
    ctx.set("bill", {**books, "amount_cents": amount_cents, "charges": books["charges"] + 1})


@billing.handler()
async def refund(ctx: restate.ObjectContext) -> None:
    books = await ctx.get("bill")
    if books is not None and books["refunds"] < books["charges"]:
        ctx.set("bill", {**books, "refunds": books["refunds"] + 1})


@billing.handler("charged", kind="shared")
async def charged(ctx: restate.ObjectSharedContext) -> dict[str, int]:
    return await ctx.get("bill") or {}


@warehouse.handler()
async def restock(ctx: restate.ObjectContext, units: int) -> None:
    stock = await ctx.get("stock") or asdict(KeptStock())
    ctx.set("stock", {"restocked": stock["restocked"] + units, "on_hand": stock["on_hand"] + units})


@warehouse.handler()
async def label(ctx: restate.ObjectContext, quantity: int) -> None:
    stock = await ctx.get("stock") or asdict(KeptStock())
    if stock["on_hand"] < quantity:
        raise TerminalError(f"{quantity} of {ctx.key()} are not on hand", status_code=409)
    ctx.set("stock", {**stock, "on_hand": stock["on_hand"] - quantity})


@warehouse.handler("stock", kind="shared")
async def stock_of(ctx: restate.ObjectSharedContext) -> dict[str, int]:
    return await ctx.get("stock") or asdict(KeptStock())


@process.main()
async def run(ctx: restate.WorkflowContext, told: dict[str, Any]) -> str:
    order = DeskOrder(**told)
    await ctx.object_call(place, key=order.order_id, arg=told)
    await ctx.object_call(bill, key=order.order_id, arg=order.amount_cents)
    try:
        await ctx.object_call(label, key=order.sku, arg=order.quantity)
    except TerminalError:  # refused: nothing was taken, so there is no label to void
        await ctx.object_call(refund, key=order.order_id, arg=None)
        await ctx.object_call(cancel, key=order.order_id, arg=None)
        return "cancelled"
    await ctx.object_call(mark_ready, key=order.order_id, arg=None)
    return "ready"


def local_process(services: ServicesInSqlite) -> restate.Workflow:
    """The process that calls services within its own program."""
    local = restate.Workflow("LocalOrderProcess")

    @local.main("run")
    async def run_locally(ctx: restate.WorkflowContext, told: dict[str, Any]) -> str:
        order = DeskOrder(**told)

        async def act(do: Callable[[DeskOrder], None]) -> None:
            await asyncio.to_thread(do, order)

        async def label_or_refuse() -> None:
            try:
                await act(services.label)
            except BackOrderedAtWarehouse as refused:
                raise TerminalError(str(refused), status_code=409) from refused

        await ctx.run_typed("place", act, do=services.place)
        await ctx.run_typed("bill", act, do=services.bill)
        try:
            await ctx.run_typed("label", label_or_refuse)
        except TerminalError:
            await ctx.run_typed("refund", act, do=services.refund)
            await ctx.run_typed("cancel", act, do=services.cancel)
            return "cancelled"
        await ctx.run_typed("mark_ready", act, do=services.mark_ready)
        return "ready"

    return local


def books_of(status: str, bill_of: dict[str, int]) -> KeptOrder:
    return KeptOrder(status, bill_of.get("charges", 0), bill_of.get("refunds", 0))


async def main(port: str, file: str) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.h2_max_concurrent_streams = 2_147_483_647  # how many calls share a connection is the server's to say
    local = local_process(ServicesInSqlite(Path(file)))
    await serve(restate.app([sales, billing, warehouse, process, local]), config)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
