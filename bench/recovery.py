"""How long orders wait when something breaks: the slowest one around each misfortune, under load all the time.

    python -m bench.recovery [--store postgresql] [--rounds 3] [--only kill] [--setting lease_s=1 ...] [--json]

Three nodes host all services each. Clients talk to the first one, and what breaks is the second, or the store. An order
that fails is placed again under its id, as clients do; its time counts from the first try.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import click
import grpc.aio
import uvloop

from bench.shop import Client, client_of, machine, open_nodes, restock
from protos.orders_pb2 import PlaceOrderRequest
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["main"]

_NODES: Mapping[str, tuple[str, ...]] = {"first": (), "second": (), "third": ()}
_VICTIM = "second"
_CLIENTS = 8
_CALM_S = 3.0  # Orders are placed for so long before a misfortune, and after it.
_TRY_S, _AGAIN_S = 30.0, 0.05
_WITHIN_S = 120.0
_FREEZE_S = 4.0  # Longer than a lease, so that the node is evicted.
_STOCK = 1_000_000
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'amends%'"


@dataclass
class _Shop:
    harness: Harness
    server: PostgresServer | None
    ended: list[tuple[float, float]] = field(default_factory=list)  # when each order began, and how long it took


# --- misfortunes: each ends once everything is as before ---


async def _nothing(shop: _Shop) -> None:
    await asyncio.sleep(_CALM_S)


async def _drain(shop: _Shop) -> None:
    await shop.harness.nodes[_VICTIM].stop()
    await shop.harness.restart(_VICTIM)


async def _kill(shop: _Shop) -> None:
    shop.harness.nodes[_VICTIM].kill()
    await asyncio.sleep(_FREEZE_S)
    await shop.harness.restart(_VICTIM)


async def _freeze(shop: _Shop) -> None:
    shop.harness.nodes[_VICTIM].freeze()
    await asyncio.sleep(_FREEZE_S)
    shop.harness.nodes[_VICTIM].thaw()


async def _restart_store(shop: _Shop) -> None:
    assert shop.server is not None
    await shop.server.restart()


async def _kill_store(shop: _Shop) -> None:
    assert shop.server is not None
    shop.server.kill()
    await shop.server.start()


async def _end_sessions(shop: _Shop) -> None:
    assert shop.server is not None
    await shop.server.sql(_END_SESSIONS)


_Misfortune = Callable[[_Shop], Awaitable[None]]
_OF_NODES: Mapping[str, _Misfortune] = {
    "nothing": _nothing,
    "drain": _drain,
    "kill": _kill,
    "freeze": _freeze,
}
_OF_SERVERS: Mapping[str, _Misfortune] = {
    "sessions": _end_sessions,
    "restart": _restart_store,
    "crash": _kill_store,
}


@click.command(help=__doc__)
@click.option("--store", type=click.Choice(THROWAWAY_STORES), default="sqlite", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of each misfortune.")
@click.option("--only", "wanted", multiple=True, type=click.Choice([*_OF_NODES, *_OF_SERVERS]), help="Default: all.")
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="Of every node.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(store: str, rounds: int, wanted: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    possible = {**_OF_NODES, **(_OF_SERVERS if store == "postgresql" else {})}
    if missing := [one for one in wanted if one not in possible]:
        raise click.UsageError(f"{', '.join(missing)}: nothing but a server can break so; say --store postgresql")
    chosen = {name: possible[name] for name in wanted or possible}
    figures = uvloop.run(measure(store, rounds, chosen, dict(text.split("=", 1) for text in settings)))
    if as_json:
        print(json.dumps({"slowest_s": figures, "store": store, "machine": machine()}))
    else:
        for name, slowest_s in figures.items():
            print(f"{name:10} slowest order of each round: " + ", ".join(f"{one:.2f}" for one in slowest_s) + " s")


async def measure(
    store: str, rounds: int, misfortunes: Mapping[str, _Misfortune], settings: Mapping[str, object]
) -> dict[str, list[float]]:
    """Seconds that the slowest order took around each round, by misfortune."""
    figures: dict[str, list[float]] = {name: [] for name in misfortunes}
    async with _open(store, settings) as shop, client_of(shop.harness.nodes["first"].address) as client:
        await restock(client, ["book"], _STOCK)
        orders = map("order-{}".format, range(_STOCK))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as customers:
            for _ in range(_CLIENTS):
                customers.create_task(_customer(client, orders.__next__, shop, stop))
            for _ in range(rounds):
                for name, happen in misfortunes.items():
                    figures[name].append(await _around(shop, happen))
            stop.set()
    return figures


async def _around(shop: _Shop, happen: _Misfortune) -> float:
    """How long the slowest order took that was under way while this happened, or was placed soon after."""
    await asyncio.sleep(_CALM_S)
    await shop.harness.eventually(partial(_is_shared, shop), timeout_s=_WITHIN_S, what="all nodes have their share")
    began_s = time.perf_counter()
    await happen(shop)
    await asyncio.sleep(_CALM_S)
    over_s = time.perf_counter()

    async def all_ended() -> bool:  # Each client has ended one order at least that it began later.
        return sum(began > over_s for began, _ in shop.ended) >= _CLIENTS

    await shop.harness.eventually(all_ended, timeout_s=_WITHIN_S, what="orders are placed again")
    return round(max(took for began, took in shop.ended if began_s - _TRY_S <= began and began + took >= began_s), 3)


async def _is_shared(shop: _Shop) -> bool:
    return {row.owner for row in (await shop.harness.store.cluster()).shards} == set(_NODES)


async def _customer(client: Client, next_id: Callable[[], str], shop: _Shop, stop: asyncio.Event) -> None:
    while not stop.is_set():
        request = PlaceOrderRequest(order_id=next_id(), sku="book", quantity=1, amount_cents=100, wait=True)
        began_s = time.perf_counter()
        while True:
            try:
                await client.PlaceOrder(request, timeout=_TRY_S, wait_for_ready=True)
                break
            except grpc.aio.AioRpcError as error:
                if time.perf_counter() - began_s > _WITHIN_S:
                    raise SystemExit(f"{request.order_id} failed for {_WITHIN_S:g} s: {error.details()}") from error
                await asyncio.sleep(_AGAIN_S)
        shop.ended.append((began_s, time.perf_counter() - began_s))


@asynccontextmanager
async def _open(store: str, settings: Mapping[str, object]) -> AsyncIterator[_Shop]:
    if store == "postgresql":
        async with (
            PostgresServer() as server,
            open_nodes(_NODES, settings, store_url=await server.create_database()) as harness,
        ):
            yield _Shop(harness, server)
    else:
        async with throwaway_store(store, say=str) as url, open_nodes(_NODES, settings, store_url=url) as harness:
            yield _Shop(harness, None)


if __name__ == "__main__":
    main()
