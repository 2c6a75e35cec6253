"""The order process on DBOS, and orders placed with it: `python -m bench.peers.dbos_customer URL` of a PostgreSQL.

DBOS is a library: the process that takes an order is the one that carries it out. Each act of a service is one
transaction in the database of the services, and DBOS notes in the same transaction that the step is done. The tables
of the services and those of DBOS are in one database.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID, SQLAlchemyDatasource

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer

__all__: list[str] = []

OrderWorkflow: TypeAlias = Callable[[str, str, int, int], str]
"""Of an order id, an SKU, a quantity and an amount in cents, to how it ended."""

_THREADS = 64  # orders under way, each with a thread and connections of its own
_POOL = {"pool_size": _THREADS, "max_overflow": 0}
_TABLES = """
    create table if not exists orders(id text primary key, status text not null);
    create table if not exists bills(id text primary key, amount_cents bigint, charges integer, refunds integer);
    create table if not exists stock(sku text primary key, restocked bigint not null, on_hand bigint not null);
"""
_RESTOCK = """
    insert into stock values(:sku, :units, :units) on conflict(sku) do update
    set restocked = stock.restocked + excluded.restocked, on_hand = stock.on_hand + excluded.on_hand
"""
_TAKE = "update stock set on_hand = on_hand - :quantity where sku = :sku and on_hand >= :quantity"


def order_process(database: SQLAlchemyDatasource) -> OrderWorkflow:
    """The workflow over the services' database. To be made before DBOS is launched, which takes up what was left."""

    def rows_of(statement: str, **values: object) -> int:
        return int(database.sql_session().execute(sqlalchemy.text(statement), values).rowcount)

    # One row has the stock of an SKU. Under the default isolation, serializable, each order that met another at it
    # would be rolled back and tried again; a single statement needs no more than read committed.
    transaction = partial(database.transaction, isolation_level="READ COMMITTED")

    @transaction(name="place")
    def place(order_id: str) -> None:
        rows_of("insert into orders values(:id, 'pending')", id=order_id)

    @transaction(name="close")
    def close(order_id: str, status: str) -> None:
        rows_of("update orders set status = :status where id = :id", id=order_id, status=status)

    @transaction(name="bill")
    def bill(order_id: str, amount_cents: int) -> None:
        rows_of("insert into bills values(:id, :cents, 1, 0)", id=order_id, cents=amount_cents)

    @transaction(name="refund")
    def refund(order_id: str) -> None:
        rows_of("update bills set refunds = refunds + 1 where id = :id", id=order_id)

    @transaction(name="label")
    def label(sku: str, quantity: int) -> bool:
        return rows_of(_TAKE, sku=sku, quantity=quantity) == 1

    @DBOS.workflow(name="order-process")
    def run(order_id: str, sku: str, quantity: int, amount_cents: int) -> str:
        place(order_id)
        bill(order_id, amount_cents)
        if not label(sku, quantity):  # refused: nothing was taken, so there is no label to void
            refund(order_id)
            close(order_id, "cancelled")
            return "cancelled"
        close(order_id, "ready")
        return "ready"

    workflow: OrderWorkflow = run
    return workflow


class DbosDesk:
    """Runs each order's workflow in this process, under the order's id: the same order again starts nothing."""

    def __init__(self, engine: sqlalchemy.Engine, run: OrderWorkflow) -> None:
        self._engine = engine
        self._run = run
        self._threads = ThreadPoolExecutor(_THREADS)

    async def restock(self, sku: str, units: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(_RESTOCK), {"sku": sku, "units": units})

    async def place(self, order: DeskOrder) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._place, order)

    async def submit(self, order: DeskOrder) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._submit, order)

    def _place(self, order: DeskOrder) -> str:
        with SetWorkflowID(order.order_id):
            return self._run(order.order_id, order.sku, order.quantity, order.amount_cents)

    def _submit(self, order: DeskOrder) -> None:
        with SetWorkflowID(order.order_id):
            DBOS.start_workflow(self._run, order.order_id, order.sku, order.quantity, order.amount_cents)

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        asked = {"ids": list(order_ids)}
        with self._engine.connect() as connection:
            statuses = connection.execute(
                sqlalchemy.text("select id, status from orders where id = any(:ids)"), asked
            ).fetchall()
            bills = connection.execute(
                sqlalchemy.text("select id, charges, refunds from bills where id = any(:ids)"), asked
            ).fetchall()
        status_of = {str(id): str(status) for id, status in statuses}
        bill_of = {str(id): (int(charges), int(refunds)) for id, charges, refunds in bills}
        return [KeptOrder(status_of.get(one, ""), *bill_of.get(one, (0, 0))) for one in order_ids]

    async def stock(self, sku: str) -> KeptStock:
        with self._engine.connect() as connection:
            found = connection.execute(
                sqlalchemy.text("select restocked, on_hand from stock where sku = :sku"), {"sku": sku}
            ).fetchone()
        return KeptStock(*(found or (0, 0)))


async def main(url: str) -> None:
    config: DBOSConfig = {
        "name": "order-bench",
        "system_database_url": url,
        "sys_db_pool_size": _THREADS,
        "application_version": "1",
        "max_executor_threads": _THREADS,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    database = SQLAlchemyDatasource.create(url, engine_kwargs=_POOL)
    with database.engine.begin() as connection:
        connection.execute(sqlalchemy.text(_TABLES))
    run = order_process(database)
    DBOS.launch()
    await serve_customer(DbosDesk(database.engine, run))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
