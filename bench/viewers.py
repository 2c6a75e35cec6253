"""People who look at the operator's page while a bench runs: the page as a process, and their browsers as another one.

    python -m bench.viewers http://127.0.0.1:7680/ 20

    bench ──"totals"──▶ browsers ──GET, server-sent events──▶ page ──▶ store

Each browser does what htmx does in a real one: it loads a screen, follows its events, and fetches each part that an
event names. It draws nothing. The browsers share a process, whose time a bench does not count.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import unescape
from itertools import cycle, islice
from pathlib import Path
from typing import TypeAlias

import click
import httpx
import psutil
import uvloop

__all__ = ["SCREENS", "Totals", "main", "viewers"]

Totals: TypeAlias = Callable[[], Awaitable[dict[str, float]]]
"""Figures that only grow: a bench asks before and after what it measures."""

SCREENS = ("/", "/sagas", "/flows", "/sagas?status=running,compensating", "/cluster", "/operations", "/dead-letters")
"""The screens that people leave open. Under load the first four change whenever they are read."""

_ROOT = Path(__file__).parents[1]
_AMENDS = (sys.executable, "-c", "from runtime.cli.main import main; main()")
_LIVE = re.compile(r'hx-sse:connect="([^"]+)"')
_PART = re.compile(r'<section id="([^"]+)" hx-get="([^"]+)"')
_CHANGED = "event: changed-"
_STARTS_S = 60.0


@asynccontextmanager
async def viewers(store_url: str, count: int) -> AsyncIterator[Totals]:
    """So many browsers at a page over this store; all of them look before the bench goes on."""
    async with (
        _process(*_AMENDS, "page", "--store", store_url, "--listen", "127.0.0.1:0", "--json") as (page, told),
        _process(sys.executable, "-m", "bench.viewers", json.loads(told)["url"], str(count)) as (browsers, _),
    ):
        yield lambda: _totals(page, browsers)


@asynccontextmanager
async def _process(*command: str) -> AsyncIterator[tuple[Process, str]]:
    """A process, and the line that it has printed once it was ready."""
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdin=PIPE, stdout=PIPE)
    try:
        yield process, await _line(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(_STARTS_S):
        line = await process.stdout.readline()
    if not line:
        raise click.ClickException("the page or its browsers have ended; what they say stands above")
    return line.decode()


async def _totals(page: Process, browsers: Process) -> dict[str, float]:
    assert browsers.stdin is not None
    browsers.stdin.write(b"totals\n")
    await browsers.stdin.drain()
    times = psutil.Process(page.pid).cpu_times()
    return {"page_cpu_s": times.user + times.system, **json.loads(await _line(browsers))}


# --- the browsers ---


class Browsers:
    """Their connections, and how much all of them have fetched so far."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.screens = 0

    async def look(self, address: str, looks: Callable[[], None]) -> None:
        """Look at one address until the task is cancelled; `looks` is called once the page tells of changes."""
        screen = await self._fetched(address)
        live, parts = _LIVE.search(screen), dict(_PART.findall(screen))
        if live is None:
            raise click.ClickException(f"{address} does not change by itself, so that nobody can follow it")
        async with self._client.stream("GET", unescape(live[1])) as told:
            told.raise_for_status()
            looks()
            async for line in told.aiter_lines():
                if line.startswith(_CHANGED):
                    await self._fetched(unescape(parts[line.removeprefix(_CHANGED)]))
        raise click.ClickException(f"the page has ended what it tells of {address}")

    async def _fetched(self, address: str) -> str:
        answer = await self._client.get(address)
        answer.raise_for_status()
        self.screens += 1
        return answer.text


@click.command(help=__doc__)
@click.argument("page")
@click.argument("count", type=click.IntRange(1, 100))
def main(page: str, count: int) -> None:
    uvloop.run(_look(page, count))


async def _look(page: str, count: int) -> None:
    """A line once all look, and one with the totals for each line that is asked. Ends by SIGTERM."""
    loop, asked, looking = asyncio.get_running_loop(), asyncio.StreamReader(), asyncio.Semaphore(0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=page, timeout=None, limits=limits) as client, asyncio.TaskGroup() as tasks:
        browsers = Browsers(client)
        for address in islice(cycle(SCREENS), count):
            tasks.create_task(browsers.look(address, looking.release))
        for _ in range(count):
            await looking.acquire()
        print("all look", flush=True)
        while await asked.readline():
            print(json.dumps({"screens": browsers.screens}), flush=True)
        raise SystemExit(0)


if __name__ == "__main__":
    main()
