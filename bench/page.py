"""Seconds that a browser waits for screens of the operator's page, over a store with very much in it.

python -m bench.page [--sagas 100000] [--messages 20000] [--json]

The page runs in this process, and is asked over HTTP on the loopback. A figure is the median of five answers, and the
slowest of them, which mostly is the first: it finds nothing in the cache. One saga in ten is stuck. One conversation
has all the messages, and one in a hundred of them has failed. The store lies in a temporary folder, and is removed
afterwards.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any

import click
import httpx
import uvloop

from actors.catalogue import catalogue
from bench.many_sagas import fill_store
from bench.shop import machine
from runtime.adapters import system_ports
from runtime.envelope import Envelope
from runtime.page.desk import PageDesk, view_of
from runtime.page.known_catalogue import KnownCatalogue
from runtime.page.server import PageServer
from runtime.protos.durable_pb2 import Caused, CausedList
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition
from runtime.store.sqlite import SqliteStore

__all__ = ["main"]

_BATCH = 500
_LOOKS = 5
_WAITING = 50
_TALK = b"T" * 16
_NEXT = re.compile(r'<a href="([^"]+)" rel="next">')


@click.command(help=__doc__)
@click.option("--sagas", type=click.IntRange(200), default=100_000, show_default=True)
@click.option("--messages", type=click.IntRange(500), default=20_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(sagas: int, messages: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="amends-bench-") as folder:
        figures = uvloop.run(measure(Path(folder) / "amends.db", sagas, messages))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(
                f"{name:32} {' '.join(f'{one:.3f}' for one in value)}"
                if isinstance(value, list)
                else f"{name:32} {value}"
            )


async def measure(path: Path, sagas: int, messages: int) -> dict[str, Any]:
    await fill_store(path, finished=0, open_=sagas)
    await _converse(path, messages)
    figures: dict[str, Any] = {"sagas": sagas, "messages": messages}
    talk = f"/conversations/{_TALK.hex()}"
    async with _page(path) as browser:
        for name, address in (
            ("sagas_list_s", "/sagas"),
            ("sagas_stuck_s", "/sagas?status=stuck"),
            ("sagas_by_key_s", "/sagas?key=ORD-00009&order=key"),
            ("sagas_by_reason_s", "/sagas?status=stuck&error=none+such"),
            ("sagas_idle_s", "/sagas?status=running,compensating&idle=600"),
            ("conversation_s", talk),
            ("conversation_newest_s", f"{talk}?order=newest"),
            ("conversation_errors_s", f"{talk}?only=errors"),
            ("conversation_actor_s", f"{talk}?actor=billing/ORD-7"),
            ("overview_s", "/"),
            ("cluster_s", "/cluster"),
            ("flows_s", "/flows"),
        ):
            figures[name], text = await _took(browser, address)
            if found := _NEXT.search(text):
                figures[f"{name.removesuffix('_s')}_next_s"], _ = await _took(browser, unescape(found[1]))
        figures["conversation_rows"] = (await browser.get(talk)).text.count("<tr") - 1
    return {**figures, **machine()}


async def _took(browser: httpx.AsyncClient, address: str) -> tuple[list[float], str]:
    """Median and slowest, and what the last answer has said."""
    took, text = list[float](), ""
    for _ in range(_LOOKS):
        began = time.perf_counter()
        answer = await browser.get(address)
        took.append(time.perf_counter() - began)
        answer.raise_for_status()
        text = answer.text
    return [statistics.median(took), max(took)], text


@asynccontextmanager
async def _page(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    ports, url = system_ports(), f"sqlite:///{path}"
    desk = PageDesk(view_of(url, ports), catalogue().contracts, url, known=KnownCatalogue(catalogue()))
    server = PageServer(desk, "127.0.0.1:0", ports)
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=60.0) as browser:
            yield browser
    finally:
        await server.close(1.0)


async def _converse(path: Path, messages: int) -> None:
    """One conversation, as of a saga with a list of very many items, and some of its messages that wait."""
    store = SqliteStore(path, system_ports())
    await store.open()
    rows = _handled(messages, time.time())
    while batch := list(islice(rows, _BATCH)):
        await store.commit([Transition(address=(row.kind, row.key), history=(row,)) for row in batch])
    await store.commit([Transition(mail=(_waiting(number, time.time()),)) for number in range(_WAITING)])
    await store.close()


def _handled(messages: int, now_s: float) -> Iterator[HistoryRow]:
    for number in range(messages):
        has_failed, key = number % 100 == 7, f"ORD-{number % 500}"
        came = CausedList(caused=[Caused(id=_id(number + 1), address=f"billing/{key}", type="shop.BillOrder")])
        yield HistoryRow(
            conversation=_TALK,
            id=_id(number),
            kind="billing" if number % 2 else "sales",
            key=key,
            shard=number % 16,
            revision=1,
            handled_at_s=now_s - messages + number,
            outcome=Outcome.FAULTED if has_failed else Outcome.HANDLED,
            attempts=1,
            node="one@1",
            error="OutOfStock: there is none" if has_failed else "",
            type="shop.BillOrder",
            sender=f"sales/{key}" if number else "",
            cause=_id(number - 1) if number else b"",
            sent_at_s=now_s - messages + number - 0.5,
            caused=came.SerializeToString(),
        )


def _waiting(number: int, now_s: float) -> MailRow:
    envelope = Envelope(
        id=_id((1 << 40) + number),
        kind="warehouse",
        key=f"ORD-{number}",
        type="shop.ShipOrder",
        body=b"",
        conversation=_TALK,
        cause=_id(number),
        sender=f"sales/ORD-{number}",
        sequence=number + 1,
        sent_at_s=now_s,
    )
    return MailRow.of(envelope, shard=number % 16)


def _id(number: int) -> bytes:
    return number.to_bytes(16, "big")


if __name__ == "__main__":
    main()
