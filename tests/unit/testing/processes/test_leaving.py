"""A process never outlives its harness."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from tests.unit.testing.processes.scripted import beats, gone


async def test_leaving_ends_every_process_also_frozen_ones(harness: Harness) -> None:
    async with harness:
        one = await harness.start("one")
        two = await harness.start("two")
        pids = [one.pid, two.pid]
        two.freeze()
    assert all(gone(pid) for pid in pids)


async def test_leaving_by_an_error_ends_every_process_and_notes_the_logs_on_it(harness: Harness) -> None:
    with pytest.raises(KeyError) as caught:
        async with harness:
            node = await harness.start("one")
            await harness.eventually(lambda: beats(node), timeout_s=30, what="it has logged something")
            raise KeyError("a test fails")
    assert gone(node.pid)
    assert "--- one: runs as pid" not in caught.value.__notes__[0]
    assert "--- one: ended by SIGKILL" in caught.value.__notes__[0]
    assert '{"event": "beat"}' in caught.value.__notes__[0]


async def test_cancelling_ends_every_process(harness: Harness) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with harness:
            node = await harness.start("one")
            started.set_result(node.pid)
            await harness.eventually(lambda: False, timeout_s=60, what="never")

    task = asyncio.create_task(run())
    pid = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="processes die with their parent on Linux only")
async def test_processes_die_with_a_test_that_is_killed(harness: Harness, tmp_path: Path) -> None:
    outer = tmp_path / "outer.py"
    outer.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tests.unit.testing.processes.scripted import ready\n"
        "from runtime.testing.processes.harness import Harness\n"
        "async def main():\n"
        f"    async with Harness(command=[sys.executable, {str(tmp_path / 'script.py')!r}],"
        f" directory=Path({str(tmp_path / 'inner')!r}), ready=ready) as harness:\n"
        "        node = await harness.start('one')\n"
        "        print(node.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[4])
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(outer), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    await harness.eventually(lambda: gone(pid), timeout_s=30, what="the node is gone with its test")
