"""The order process on DBOS, and orders placed with it: `python -m bench.peers.dbos_customer URL ACTS`.

The URL is that of a PostgreSQL. DBOS is a library: the process that takes an order is the one that carries it out. The
tables of the services and those of DBOS are in one database. Acts of services are one of these:

transactions   of a datasource: DBOS notes in the act's own transaction that it is done, so it is done once
steps          DBOS notes it afterwards, so it may be done twice; the services know by the order id what they have done
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Protocol, TypeAlias, TypeVar, cast

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID, SQLAlchemyDatasource

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer

__all__: list[str] = []

OrderWorkflow: TypeAlias = Callable[[str, str, int, int], str]
"""Of an order id, an SKU, a quantity and an amount in cents, to how it ended."""

Act = TypeVar("Act", bound="Callable[..., object]")

_THREADS = 64  # orders under way, each with a thread and connections of its own
_POOL = {"pool_size": _THREADS, "max_overflow": 0}
_TABLES = """
    create table if not exists orders(id text primary key, status text not null);
    create table if not exists bills(id text primary key, amount_cents bigint, charges integer, refunds integer);
    create table if not exists labels(id text primary key);
    create table if not exists stock(sku text primary key, restocked bigint not null, on_hand bigint not null);
"""
_RESTOCK = """
    insert into stock values(:sku, :units, :units) on conflict(sku) do update
    set restocked = stock.restocked + excluded.restocked, on_hand = stock.on_hand + excluded.on_hand
"""
_TAKE = "update stock set on_hand = on_hand - :quantity where sku = :sku and on_hand >= :quantity"


class Durable(Protocol):
    """Makes of an act what DBOS carries out once it has begun."""

    def __call__(self, act: Act) -> Act: ...


class ServicesInPostgresql:
    """Sales, Billing and Warehouse. `execute` runs a statement in the transaction of the act, and tells its rows."""

    def __init__(self, execute: Callable[..., int], *, may_repeat: bool) -> None:
        self._execute = execute
        self._may_repeat = may_repeat

    def place(self, order_id: str) -> None:
        self._execute("insert into orders values(:id, 'pending') on conflict do nothing", id=order_id)

    def close(self, order_id: str, status: str) -> None:
        self._execute("update orders set status = :status where id = :id", id=order_id, status=status)

    def bill(self, order_id: str, amount_cents: int) -> None:
        self._execute(
            "insert into bills values(:id, :cents, 1, 0) on conflict do nothing", id=order_id, cents=amount_cents
        )

    def refund(self, order_id: str) -> None:
        self._execute("update bills set refunds = 1 where id = :id and charges = 1", id=order_id)

    def label(self, order_id: str, sku: str, quantity: int) -> bool:
        """Says whether the goods are taken."""
        if not self._may_repeat:
            return self._execute(_TAKE, sku=sku, quantity=quantity) == 1
        if self._execute("select 1 from labels where id = :id", id=order_id):
            return True
        is_taken = self._execute(_TAKE, sku=sku, quantity=quantity) == 1
        if is_taken:
            self._execute("insert into labels values(:id)", id=order_id)
        return is_taken


def once(database: SQLAlchemyDatasource) -> tuple[ServicesInPostgresql, Durable]:
    """The services, and what makes a transaction of one of their acts."""

    def execute(statement: str, **values: object) -> int:
        return int(database.sql_session().execute(sqlalchemy.text(statement), values).rowcount)

    # One row has the stock of an SKU. Under the default isolation, serializable, each order that met another at it
    # would be rolled back and tried again; a single statement needs no more than read committed.
    def transaction(act: Act) -> Act:
        return cast("Act", database.transaction(act, name=act.__name__, isolation_level="READ COMMITTED"))

    return ServicesInPostgresql(execute, may_repeat=False), transaction


def at_least_once(engine: sqlalchemy.Engine) -> tuple[ServicesInPostgresql, Durable]:
    """The services, and what makes a step of one of their acts."""
    connection: ContextVar[sqlalchemy.Connection] = ContextVar("connection")

    def execute(statement: str, **values: object) -> int:
        return int(connection.get().execute(sqlalchemy.text(statement), values).rowcount)

    def step(act: Act) -> Act:
        def run(*arguments: object) -> object:
            with engine.begin() as begun:
                before = connection.set(begun)
                try:
                    return act(*arguments)
                finally:
                    connection.reset(before)

        return cast("Act", DBOS.step(name=act.__name__)(run))

    return ServicesInPostgresql(execute, may_repeat=True), step


def order_process(services: ServicesInPostgresql, durable: Durable) -> OrderWorkflow:
    """The workflow. To be made before DBOS is launched, which takes up what was left."""
    place, close = durable(services.place), durable(services.close)
    bill, refund, label = durable(services.bill), durable(services.refund), durable(services.label)

    @DBOS.workflow(name="order-process")
    def run(order_id: str, sku: str, quantity: int, amount_cents: int) -> str:
        place(order_id)
        bill(order_id, amount_cents)
        if not label(order_id, sku, quantity):  # refused: nothing was taken, so there is no label to void
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


async def main(url: str, acts: str) -> None:
    config: DBOSConfig = {
        "name": "order-bench",
        "system_database_url": url,
        "sys_db_pool_size": _THREADS,
        "application_version": "1",
        "max_executor_threads": _THREADS,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"), **_POOL)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(_TABLES))
    if acts == "steps":
        run = order_process(*at_least_once(engine))
    else:
        run = order_process(*once(SQLAlchemyDatasource.create(url, engine=engine)))
    DBOS.launch()
    await serve_customer(DbosDesk(engine, run))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
