"""Bytes that a store holds for each order, by part, counted in the store itself.

    python -m bench.bytes --store sqlite:////data/amends.db [--json]

    bench/bytes_in_sqlite.py      ─┐
    bench/bytes_in_postgresql.py  ─┴─▶ StoreBytes ──each──▶ figures ──▶ lines, or JSON

Counted are the tables `actors` and `history` with their indexes, since nothing else grows with orders that have ended.
The log of a database is not counted, for it is cut again and again. bench/README.md says what each part is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import click
import uvloop

from actors.orchestration import OrderProcess
from actors.sales import Sales
from runtime.errors import AmendsError, InvalidSettings
from runtime.store_url import without_password

__all__ = ["GROUPS", "StoreBytes", "bytes_of", "lines", "main"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "which message": ("conversation", "id"),
    "whose": ("kind", "key", "shard"),
    "what it was": ("type", "sender", "cause", "outcome", "attempts", "error"),
    "when": ("sent_at_s", "handled_at_s", "revision"),
    "node": ("node",),
    "what it sent, what was given": ("caused",),
}
"""Columns of `history` by what they tell. What a row adds to its columns is a group of its own."""


@dataclass(slots=True)
class StoreBytes:
    """Bytes of one store, all orders together."""

    orders: int = 0  # as many as there are actors of sales
    actors: dict[str, int] = field(default_factory=dict)  # rows, by kind
    history: dict[str, int] = field(default_factory=dict)  # rows, by group of columns
    indexes: int = 0  # entries of the indexes; with PostgreSQL their pages, all of them
    pages: int = 0  # what pages hold beside that: their headers, pointers to rows, dead rows and free space
    saga_rows: int = 0  # of the above: the rows of the sagas, in both tables
    saga_indexes: int = 0  # of the above: the entries of these rows in indexes

    @property
    def whole(self) -> int:
        return sum(self.actors.values()) + sum(self.history.values()) + self.indexes + self.pages

    @property
    def saga(self) -> int:
        return self.saga_rows + self.saga_indexes

    def each(self) -> dict[str, int | dict[str, int]]:
        """Bytes for one order, rounded. Raises InvalidSettings for a store without orders."""
        orders = self.orders
        if not orders:
            raise InvalidSettings("the store holds no order; place some first, or name another store")
        return {
            "whole": round(self.whole / orders),
            "without_pages": round((self.whole - self.pages) / orders),
            "saga": round(self.saga / orders),
            "actors": {kind: round(size / orders) for kind, size in self.actors.items()},
            "history": {group: round(size / orders) for group, size in self.history.items()},
            "indexes": round(self.indexes / orders),
            "pages": round(self.pages / orders),
        }


async def bytes_of(url: str) -> StoreBytes:
    """Count in the store of this URL, which nodes may go on using. Raises InvalidSettings, StoreError."""
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from bench.bytes_in_sqlite import sqlite_bytes

        return sqlite_bytes(url, order=Sales.kind, saga=OrderProcess.kind)
    if scheme in ("postgresql", "postgres"):
        from bench.bytes_in_postgresql import postgresql_bytes

        return await postgresql_bytes(url, order=Sales.kind, saga=OrderProcess.kind)
    raise InvalidSettings(f"bytes cannot be counted in {without_password(url)!r}; name a store sqlite: or postgresql:")


def lines(each: Mapping[str, int | Mapping[str, int]]) -> Iterator[str]:
    """The figures of `StoreBytes.each` for people."""
    yield f"{each['whole']:10,} bytes in the store for each order; {each['without_pages']:,} without what pages add"
    yield f"{each['saga']:10,} of these for its saga: its actor, the messages that it handled, their index entries"
    for name, size in each.items():
        if isinstance(size, Mapping):
            parts = ", ".join(f"{part} {one:,}" for part, one in size.items())
            yield f"{sum(size.values()):10,} {name}: {parts}"
    yield f"{each['indexes']:10,} indexes"
    yield f"{each['pages']:10,} pages: their headers, pointers to rows, dead rows and free space"


@click.command(help=__doc__)
@click.option("--store", required=True, help="URL of the store.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(store: str, as_json: bool) -> None:
    try:
        each = uvloop.run(bytes_of(store)).each()
    except AmendsError as error:
        raise click.ClickException(str(error)) from error
    print(json.dumps(each) if as_json else "\n".join(lines(each)))


if __name__ == "__main__":
    main()
