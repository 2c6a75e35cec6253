"""Sales, Billing and Warehouse with a database of their own: for systems that do not keep what services know.

Those may carry out an act twice, so each of these acts knows by the order id what it has done already. Every act is one
transaction, flushed to disk before it returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock

__all__ = ["BackOrderedAtWarehouse", "ServicesInSqlite"]

_TABLES = """
    pragma journal_mode=wal;
    create table if not exists orders(id text primary key, status text) without rowid;
    create table if not exists bills(id text primary key, amount_cents integer, charges integer, refunds integer)
      without rowid;
    create table if not exists stock(sku text primary key, restocked integer, on_hand integer) without rowid;
    create table if not exists labels(id text primary key, sku text, quantity integer, voided integer) without rowid;
"""


class BackOrderedAtWarehouse(Exception):
    """There is less on hand than the order asks for."""


class ServicesInSqlite:
    """All three over one file. Calls come from many threads, one transaction at a time."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, timeout=60.0, isolation_level=None, check_same_thread=False)
        self._database.executescript(_TABLES)
        self._database.execute("pragma synchronous=full")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("begin immediate")
            try:
                yield self._database
                self._database.execute("commit")
            except BaseException:
                self._database.execute("rollback")
                raise

    # --- Sales ---

    def place(self, order: DeskOrder) -> None:
        with self._transaction() as rows:
            rows.execute("insert into orders values(?, 'pending') on conflict do nothing", (order.order_id,))

    def mark_ready(self, order: DeskOrder) -> None:
        self._close_order(order, "ready")

    def cancel(self, order: DeskOrder) -> None:
        self._close_order(order, "cancelled")

    def _close_order(self, order: DeskOrder, status: str) -> None:
        with self._transaction() as rows:
            rows.execute("update orders set status=? where id=? and status='pending'", (status, order.order_id))

    # --- Billing ---

    def bill(self, order: DeskOrder) -> None:
        with self._transaction() as rows:
            bill = (order.order_id, order.amount_cents)
            rows.execute("insert into bills values(?, ?, 1, 0) on conflict do nothing", bill)

    def refund(self, order: DeskOrder) -> None:
        with self._transaction() as rows:
            rows.execute("update bills set refunds=1 where id=? and charges=1", (order.order_id,))

    # --- Warehouse ---

    def restock(self, sku: str, units: int) -> None:
        with self._transaction() as rows:
            rows.execute(
                "insert into stock values(?1, ?2, ?2) on conflict(sku) do update "
                "set restocked=restocked+excluded.restocked, on_hand=on_hand+excluded.on_hand",
                (sku, units),
            )

    def label(self, order: DeskOrder) -> None:
        """Raises BackOrderedAtWarehouse."""
        with self._transaction() as rows:
            if rows.execute("select 1 from labels where id=?", (order.order_id,)).fetchone():
                return
            taken = rows.execute(
                "update stock set on_hand=on_hand-?1 where sku=?2 and on_hand>=?1", (order.quantity, order.sku)
            )
            if taken.rowcount == 0:
                raise BackOrderedAtWarehouse(f"{order.quantity} of {order.sku} are not on hand")
            rows.execute("insert into labels values(?, ?, ?, 0)", (order.order_id, order.sku, order.quantity))

    def void(self, order: DeskOrder) -> None:
        """Put the goods back, unless no label was made."""
        with self._transaction() as rows:
            voided = rows.execute("update labels set voided=1 where id=? and voided=0", (order.order_id,))
            if voided.rowcount:
                rows.execute("update stock set on_hand=on_hand+? where sku=?", (order.quantity, order.sku))

    # --- what they know ---

    def order_books(self, order_id: str) -> KeptOrder:
        with self._lock:
            order = self._database.execute("select status from orders where id=?", (order_id,)).fetchone()
            bill = self._database.execute("select charges, refunds from bills where id=?", (order_id,)).fetchone()
        return KeptOrder(order[0] if order else "", *(bill or (0, 0)))

    def pending(self) -> list[str]:
        """Ids of orders that have not ended."""
        with self._lock:
            found = self._database.execute("select id from orders where status='pending'").fetchall()
        return [str(id) for (id,) in found]

    def stock_books(self, sku: str) -> KeptStock:
        with self._lock:
            found = self._database.execute("select restocked, on_hand from stock where sku=?", (sku,)).fetchone()
        return KeptStock(*(found or (0, 0)))
