"""The bank and the depot of the storm: systems of others, which no store of ours can roll back.

    a handler in any node ──a line of JSON──▶ this, a process of its own ──appends──▶ bank.log, depot.log
                          ◀──the answer────

They stand for a payment provider and for a warehouse's own system. Each request carries a key, and the answer to a key
is final: a request that comes again is noted and answered as the first time, and moves nothing; a refusal stays one.
What moved can be added up from the files alone, see `audit`. A line is written before its answer is given.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import click
import uvloop

__all__ = ["BANK_LOG", "DEPOT_LOG", "Bank", "Depot", "serve"]

BANK_LOG = "bank.log"
DEPOT_LOG = "depot.log"
_LINE_BYTES_MAX = 64 * 1024

Request = Mapping[str, object]


class EffectJournal:
    """A file that only grows, a line of JSON for each request that was carried out."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._answers: dict[str, int] = {}  # by key

    def before(self, request: Request) -> int | None:
        """What was answered to this key; None if it is new. Notes that it came again."""
        answer = self._answers.get(str(request["key"]))
        if answer is not None:
            self._write(request, answer)
        return answer

    def carried_out(self, request: Request, answer: int) -> int:
        self._write(request, answer)
        self._answers[str(request["key"])] = answer
        return answer

    def _write(self, request: Request, answer: int) -> None:
        self._file.write(json.dumps({**request, "answer": answer}) + "\n")
        self._file.flush()


class Bank:
    """Takes money for an order and gives it back. It does not judge whether either is due."""

    def __init__(self, directory: Path) -> None:
        self._journal = EffectJournal(directory / BANK_LOG)
        self._charged: Counter[str] = Counter()  # cents by order, and not given back
        self._closed: set[str] = set()

    def charge(self, request: Request) -> int:
        """{key, order, units: cents}; gives the cents taken: 0 once the order was refunded, however late this comes."""
        before = self._journal.before(request)
        if before is not None:
            return before
        order = str(request["order"])
        units = 0 if order in self._closed else _number(request["units"])
        self._charged[order] += units
        return self._journal.carried_out(request, units)

    def refund(self, request: Request) -> int:
        """{key, order}; gives the cents given back: all that was charged. Closes the order."""
        before = self._journal.before(request)
        if before is not None:
            return before
        order = str(request["order"])
        self._closed.add(order)
        return self._journal.carried_out(request, self._charged.pop(order, 0))


class Depot:
    """Keeps the goods, and is who knows how many there are."""

    def __init__(self, directory: Path) -> None:
        self._journal = EffectJournal(directory / DEPOT_LOG)
        self._on_hand: Counter[str] = Counter()
        self._labelled: Counter[str] = Counter()  # units out, by order
        self._closed: set[str] = set()

    def put(self, request: Request) -> int:
        """{key, sku, units}; gives the units put in."""
        before = self._journal.before(request)
        if before is not None:
            return before
        units = _number(request["units"])
        self._on_hand[str(request["sku"])] += units
        return self._journal.carried_out(request, units)

    def label(self, request: Request) -> int:
        """{key, order, sku, units}; gives the units taken out by a label: 0 if too few are there, or after a void."""
        before = self._journal.before(request)
        if before is not None:
            return before
        order, sku, units = str(request["order"]), str(request["sku"]), _number(request["units"])
        if units > self._on_hand[sku] or order in self._closed:
            units = 0
        self._on_hand[sku] -= units
        self._labelled[order] += units
        return self._journal.carried_out(request, units)

    def void(self, request: Request) -> int:
        """{key, order, sku}; gives the units that came back with the order's label. Closes the order."""
        before = self._journal.before(request)
        if before is not None:
            return before
        order = str(request["order"])
        self._closed.add(order)
        units = self._labelled.pop(order, 0)
        self._on_hand[str(request["sku"])] += units
        return self._journal.carried_out(request, units)


async def serve(directory: Path, socket: Path) -> None:
    """Serve until cancelled. `directory` gets the files."""
    bank, depot = Bank(directory), Depot(directory)
    acts: dict[str, Callable[[Request], int]] = {
        "charge": bank.charge,
        "refund": bank.refund,
        "put": depot.put,
        "label": depot.label,
        "void": depot.void,
    }

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                request = json.loads(line)
                writer.write(b"%d\n" % acts[request["what"]](request))
                await writer.drain()
        except OSError:
            pass  # the node was killed
        finally:
            writer.close()

    server = await asyncio.start_unix_server(client, socket, limit=_LINE_BYTES_MAX)
    async with server:
        await server.serve_forever()


def _number(value: object) -> int:
    assert isinstance(value, int), f"{value!r} is no number"
    return value


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("socket", type=click.Path(path_type=Path))
def main(directory: Path, socket: Path) -> None:
    """Be the participants: files in DIRECTORY, asked over SOCKET."""
    uvloop.run(serve(directory, socket))


if __name__ == "__main__":
    main()
