"""Several processes on one file: they take turns, a wait has an end, and who is in the way is named."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.errors import StoreBusy
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import mail_row, node_row, post, turn
from tests.unit.store.conftest import OpenStore

Start = Callable[[str], subprocess.Popen[str]]

_FOREIGN = """
import apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("begin immediate")
"""
_EXCLUSIVE = """
import apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("pragma locking_mode = exclusive").fetchall()
connection.execute("begin exclusive")
"""
_LOCK = """
import fcntl, os
fcntl.flock(os.open(sys.argv[1] + "-lock", os.O_RDWR), fcntl.LOCK_EX)
"""
_NODE_IN_A_TRANSACTION = """
import asyncio, threading
from pathlib import Path
from runtime.adapters import system_ports
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.writer import Writer

def work(connection):
    connection.execute("delete from mail")
    print("held", flush=True)
    threading.Event().wait(60)

async def main():
    writer = Writer(Path(sys.argv[1]), system_ports(), wait_s=10)
    await writer.open(schema_steps(), create=True)
    await writer.transact(work)

asyncio.run(main())
"""


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Run a script in another process until it holds what it shall hold."""
    running: list[subprocess.Popen[str]] = []

    def begin(script: str) -> subprocess.Popen[str]:
        script = f"import sys\n{script}\nprint('held', flush=True)\nsys.stdin.read()"
        command = [sys.executable, "-c", script, str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.broken_by("busy-writer-not-named")
async def test_s30_a_foreign_writer_is_waited_for_with_an_end_and_named(make_store: OpenStore, start: Start) -> None:
    store = make_store(wait_s=0.3)
    await store.open()
    foreign = start(_FOREIGN)
    with pytest.raises(StoreBusy, match=rf"is locked by process {foreign.pid}; end it"):
        await store.commit([post(mail_row(1))])
    # Reads go on beside it.
    assert await store.load([("billing", "a")]) == [None]
    assert (await store.cluster()).nodes == ()
    foreign.kill()
    foreign.communicate()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]


async def test_a_store_locked_by_a_foreign_program_at_the_start_is_refused(make_store: OpenStore, start: Start) -> None:
    first = make_store()
    await first.open()
    await first.close()
    start(_EXCLUSIVE)
    with pytest.raises(StoreBusy, match="is locked by process"):
        await make_store(wait_s=0.3).open()


async def test_s30_the_holder_of_the_lock_is_named_when_the_wait_is_over(make_store: OpenStore, start: Start) -> None:
    store = make_store(wait_s=0.3)
    await store.open()
    holder = start(_LOCK)
    with pytest.raises(StoreBusy, match=rf"is held by process {holder.pid} for more than 0\.3 s; nothing was written"):
        await store.commit([post(mail_row(1))])
    with pytest.raises(StoreBusy, match=f"process {holder.pid}"):
        await store.join(node_row("one"), lease_s=1.0)
    holder.kill()
    holder.communicate()
    # What was given up on was not written behind the caller's back.
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    assert (await store.cluster()).nodes == ()


async def test_a_frozen_node_in_a_transaction_is_named_and_its_death_frees_the_store(
    make_store: OpenStore, start: Start
) -> None:
    store = make_store(wait_s=0.3)
    await store.open()
    await store.commit([post(mail_row(1))])
    node = start(_NODE_IN_A_TRANSACTION)
    os.kill(node.pid, signal.SIGSTOP)
    with pytest.raises(StoreBusy, match=f"process {node.pid}"):
        await store.commit([turn(1)])
    node.kill()
    node.communicate()
    # Its half of a transaction is gone with it: the mail it had removed is there.
    assert await store.commit([turn(1)]) == [Verdict.COMMITTED]


async def test_another_store_of_the_same_process_is_named_as_such(make_store: OpenStore) -> None:
    first, second = make_store(), make_store(wait_s=0.2)
    await first.open()
    await second.open()
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(connection: object) -> None:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()

    holding = asyncio.create_task(first._writer.transact(hold))
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match="another store of this process"):
        while True:  # the first ones may come before the lock is taken
            await second.commit([post(mail_row(1))])
    released.set()
    await holding
    assert await second.commit([post(mail_row(2))]) == [Verdict.COMMITTED]


async def test_many_stores_write_side_by_side_and_lose_nothing(make_store: OpenStore) -> None:
    stores = [make_store() for _ in range(4)]
    for store in stores:
        await store.open()

    async def fill(index: int) -> None:
        for number in range(25):
            assert await stores[index].commit([post(mail_row(100 * index + number))]) == [Verdict.COMMITTED]

    await asyncio.gather(*(fill(index) for index in range(len(stores))))
    assert len(await stores[0].waiting_for(("billing", "a"), 3, limit=999)) == 100


async def test_stores_that_start_at_once_make_one_schema(make_store: OpenStore) -> None:
    stores = [make_store() for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    assert len({store.cluster_id for store in stores}) == 1
