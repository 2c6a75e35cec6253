"""A yardstick: the least that a durable order costs on this machine, to state other figures as a share of it.

    python -m bench.yardstick [--processes 4] [--placing stream] [--json]

    client ─▶ sales ─▶ saga ─▶ billing ─▶ saga ─▶ warehouse ─▶ saga ─▶ sales ─▶ client     7 messages, 7 transactions

Each message is committed, with the state of who handled the one before, at synchronous=FULL before it is sent; what is
ready at the same time shares a commit. There are no retries, leases, supervision or recovery: it measures the disk,
gRPC and the interpreter, and is no pattern to follow.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import click
import grpc
import grpc.aio
import uvloop

from bench.bare_calls import BareCaller, BareCalls
from bench.shop import family_cpu_s, machine, percentile
from runtime.protos.mesh_pb2 import Envelope, Frame

__all__ = ["BareLoad", "main", "measure"]

# What handling a message of a type sends next: its type, and the kind that handles that.
_NEXT = {
    "PlaceOrder": ("OrderPlaced", "saga"),
    "OrderPlaced": ("BillOrder", "billing"),
    "BillOrder": ("OrderBilled", "saga"),
    "OrderBilled": ("CreateShippingLabel", "warehouse"),
    "CreateShippingLabel": ("ShippingLabelCreated", "saga"),
    "ShippingLabelCreated": ("MarkReadyToShip", "sales"),
}
_KINDS = ("sales", "billing", "warehouse", "saga")
_BODY, _STATE = b"b" * 60, b"s" * 80
_TABLES = """
    pragma journal_mode=wal;
    create table mail(id blob primary key, kind text, key text, envelope blob) without rowid;
    create table history(id blob primary key) without rowid;
    create table actors(kind text, key text, revision integer, state blob, primary key(kind, key)) without rowid;
"""


@dataclass(slots=True)
class BareStep:
    """One transaction: what is taken from the mail, the actor's state after it, what it sends."""

    taken: bytes
    actor: tuple[str, str] | None
    sent: Envelope | None
    done: asyncio.Future[None]


class BareJournal:
    """Writes steps from a thread of its own, all that are ready in one transaction."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._steps: queue.SimpleQueue[BareStep] = queue.SimpleQueue()
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
        self._database = apsw.Connection(str(folder / "yardstick.db"))
        self._database.execute("pragma synchronous=full")
        threading.Thread(target=self._run, daemon=True).start()

    async def write(self, taken: bytes, actor: tuple[str, str] | None, sent: Envelope | None) -> None:
        step = BareStep(taken, actor, sent, self._loop.create_future())
        self._steps.put(step)
        await step.done

    def _run(self) -> None:
        while True:
            steps = [self._steps.get()]
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            while not self._steps.empty():
                steps.append(self._steps.get())
            self._commit(steps)
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._loop.call_soon_threadsafe(self._tell, steps)

    def _commit(self, steps: Sequence[BareStep]) -> None:
        execute = self._database.executemany
        taken = [(step.taken,) for step in steps if step.taken]
        sent = [step.sent for step in steps if step.sent is not None]
        actors = [(*step.actor, _STATE) for step in steps if step.actor is not None]
        self._database.execute("begin immediate")
        execute("delete from mail where id=?", taken)
        execute("insert into history values(?)", taken)
        execute(
            "insert into actors values(?, ?, 1, ?) "
            "on conflict(kind, key) do update set revision=revision+1, state=excluded.state",
            actors,
        )
        execute("insert into mail values(?, ?, ?, ?)", [(e.id, e.kind, e.key, e.SerializeToString()) for e in sent])
        self._database.execute("commit")

    @staticmethod
    def _tell(steps: Sequence[BareStep]) -> None:
        for step in steps:
            step.done.set_result(None)


class BareProcess:
    """One of the processes; hosts some kinds, and sends what is for others over a stream to each."""

    def __init__(self, kinds: Sequence[str], folder: Path) -> None:
        self._kinds = frozenset(kinds)
        self._folder = folder
        self._journal = BareJournal(folder)
        self._outboxes: dict[str, asyncio.Queue[bytes]] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def place(self, request: bytes, _: Any) -> bytes:
        """A client's call: returns when the order is ready to ship."""
        envelope = Envelope(id=os.urandom(16), kind="sales", key=request.decode(), type="PlaceOrder", body=_BODY)
        ready = self._waiting[envelope.key] = asyncio.get_running_loop().create_future()
        await self._journal.write(b"", None, envelope)
        self._begin(envelope)
        await ready
        return b""

    async def stream(self, frames: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for frame in frames:
            for push in Frame.FromString(frame).pushes:
                self._begin(Envelope.FromString(push))
        yield b""

    def _begin(self, envelope: Envelope) -> None:
        task = asyncio.create_task(self._handle(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, message: Envelope) -> None:
        following = None
        if message.type in _NEXT:
            type, kind = _NEXT[message.type]
            following = Envelope(id=os.urandom(16), kind=kind, key=message.key, type=type, body=_BODY, cause=message.id)
        await self._journal.write(message.id, (message.kind, message.key), following)
        if following is None:
            self._waiting.pop(message.key).set_result(None)
        elif following.kind in self._kinds:
            self._begin(following)
        else:
            await self._outbox(following.kind).put(following.SerializeToString())

    def _outbox(self, kind: str) -> asyncio.Queue[bytes]:
        if kind not in self._outboxes:
            self._outboxes[kind] = asyncio.Queue()
            task = asyncio.create_task(self._send(kind, self._outboxes[kind]))
            self._tasks.add(task)
        return self._outboxes[kind]

    async def _send(self, kind: str, outbox: asyncio.Queue[bytes]) -> None:
        channel = grpc.aio.insecure_channel((self._folder / kind).read_text())
        stream: Any = channel.stream_stream("/yardstick/stream")(wait_for_ready=True)
        while True:
            pushes = [await outbox.get()]
            while not outbox.empty():
                pushes.append(outbox.get_nowait())
            await stream.write(Frame(pushes=pushes).SerializeToString())


async def _serve(kinds: Sequence[str], folder: Path) -> None:
    process = BareProcess(kinds, folder)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, Any] = {
        "place": grpc.unary_unary_rpc_method_handler(process.place),
        "places": grpc.stream_stream_rpc_method_handler(BareCalls(process.place).serve),
        "stream": grpc.stream_stream_rpc_method_handler(process.stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("yardstick", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    for kind in kinds:
        (folder / f"{kind}.part").write_text(f"127.0.0.1:{port}")
        (folder / f"{kind}.part").rename(folder / kind)
    await server.wait_for_termination()


@dataclass(frozen=True, slots=True)
class BareLoad:
    """Orders to place, so many at a time."""

    concurrency: int
    orders: int
    placing: str  # "unary", or "stream"


async def _drive(folder: Path, load: BareLoad) -> dict[str, float]:
    """Place orders; sagas per second, latencies in ms, and what all processes spent."""
    numbers = iter(range(load.orders))
    took_s: list[float] = []
    async with grpc.aio.insecure_channel((folder / "sales").read_text()) as channel:
        unary: Any = channel.unary_unary("/yardstick/place")
        caller = BareCaller(channel) if load.placing == "stream" else None

        async def customer() -> None:
            for number in numbers:
                began_s = time.perf_counter()
                order = f"order-{load.placing}-{load.concurrency}-{number}".encode()
                await (unary(order, wait_for_ready=True) if caller is None else caller.place(order))
                took_s.append(time.perf_counter() - began_s)

        spent_s, began_s = family_cpu_s(), time.perf_counter()
        await asyncio.gather(*(customer() for _ in range(load.concurrency)))
        elapsed_s, spent_s = time.perf_counter() - began_s, family_cpu_s() - spent_s
        if caller is not None:
            caller.close()
    took_s.sort()
    return {
        "sagas_per_s": round(load.orders / elapsed_s, 1),
        "p50_ms": round(percentile(took_s, 0.5) * 1000, 2),
        "p99_ms": round(percentile(took_s, 0.99) * 1000, 2),
        "cpu_s_per_saga": round(spent_s / load.orders, 6),
    }


async def _measure(folder: Path, loads: Sequence[BareLoad]) -> list[dict[str, float]]:
    while not all((folder / kind).exists() for kind in _KINDS):  # noqa: ASYNC110 - made by other processes
        await asyncio.sleep(0.02)
    await _drive(folder, BareLoad(16, 200, "unary"))  # warm-up
    return [await _drive(folder, load) for load in loads]


def measure(processes: int, loads: Sequence[BareLoad]) -> list[dict[str, float]]:
    """The figures of each load, one after another at the same processes over one file."""
    groups = [_KINDS] if processes == 1 else [(kind,) for kind in _KINDS]
    with tempfile.TemporaryDirectory(prefix="yardstick-") as name:
        folder = Path(name)
        apsw.Connection(str(folder / "yardstick.db")).execute(_TABLES).fetchall()
        command = [sys.executable, "-m", "bench.yardstick", "--serve", name]
        started = [subprocess.Popen([*command, *kinds]) for kinds in groups]
        try:
            return uvloop.run(_measure(folder, loads))
        finally:
            for process in started:
                process.send_signal(signal.SIGKILL)
                process.wait()


@click.command(help=__doc__)
@click.option("--processes", type=click.Choice(["1", "4"]), default="4", show_default=True)
@click.option("--orders", type=click.IntRange(100), default=3000, show_default=True)
@click.option("--placing", type=click.Choice(["unary", "stream"]), default="unary", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--serve", hidden=True)
@click.argument("kinds", nargs=-1)
def main(processes: str, orders: int, placing: str, as_json: bool, serve: str | None, kinds: tuple[str, ...]) -> None:
    if serve is not None:
        uvloop.run(_serve(kinds, Path(serve)))
        return
    loads = BareLoad(1, max(orders // 10, 50), placing), BareLoad(64, orders, placing)
    figures = measure(int(processes), loads)
    if as_json:
        by_concurrency = {str(load.concurrency): each for load, each in zip(loads, figures, strict=True)}
        settings = {"processes": int(processes), "orders": orders, "placing": placing}
        print(json.dumps({"by_concurrency": by_concurrency, "settings": settings, "machine": machine()}))
        return
    for load, each in zip(loads, figures, strict=True):
        text = f"{each['sagas_per_s']:8,.0f} sagas/s, p50 {each['p50_ms']} ms, p99 {each['p99_ms']} ms"
        cost = f"{each['cpu_s_per_saga'] * 1000:.2f} ms of CPU for each order"
        print(f"{processes} processes, {load.concurrency:>2} at a time, by {placing}: {text}, {cost}")


if __name__ == "__main__":
    main()
