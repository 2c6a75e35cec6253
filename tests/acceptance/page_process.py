"""`amends page` as a process of its own, over a store that a test has written."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.shop import ROOT

__all__ = ["page_of", "page_process"]

AMENDS = (sys.executable, "-c", "from runtime.cli.main import main; main()")


async def page_process(*arguments: str, cwd: Path = ROOT) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*AMENDS, "page", *arguments, cwd=cwd, stdout=pipe, stderr=pipe)


@asynccontextmanager
async def page_of(url: str, ends_by: signal.Signals = signal.SIGTERM, *arguments: str) -> AsyncIterator[str]:
    """The address of a page over the store. It ends by a signal, without an error."""
    process = await page_process("--store", url, "--listen", "127.0.0.1:0", "--json", *arguments)
    assert process.stdout is not None and process.stderr is not None
    line = await process.stdout.readline()
    assert line, (await process.stderr.read()).decode()
    try:
        yield json.loads(line)["url"]
    finally:
        process.send_signal(ends_by)
        _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
