"""How fast messages travel between two node processes: `python -m bench.mesh [--json]`.

batch       pushes of about 250 bytes, so many a frame, one frame after another; messages taken per second
decoded     the same with each envelope decoded on arrival, as a node does
flood       as fast as the mesh lets us, frames as large as they come
round trip  one push there and one back, nothing else under way

The receiver is a process of its own, on the same machine; links are gRPC on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import uvloop

from runtime.adapters import system_ports
from runtime.envelope import Envelope, decode
from runtime.gateway.server import GrpcServer
from runtime.mesh.channel import GrpcTransport
from runtime.mesh.peers import Identity, Mesh, MeshSettings, PeerAddress, Receiver
from runtime.ports import Link, Ports, Transport
from runtime.protos import mesh_pb2

BATCHES = (1, 16, 64, 256)
SECONDS = 1.5  # of each measurement
ROUND_TRIPS = 2000
_INCARNATION = "1"


@dataclass(frozen=True, slots=True)
class Figure:
    batch: int
    messages_per_s: int
    decoded_per_s: int


class PacedLink:
    """Has the next batch pushed when a frame is out, so that a frame is exactly one batch."""

    def __init__(self, link: Link, sent: Callable[[], None]) -> None:
        self._link = link
        self._sent = sent

    async def send(self, frame: bytes) -> None:
        await self._link.send(frame)
        self._sent()

    async def receive(self) -> bytes | None:
        return await self._link.receive()

    async def close(self) -> None:
        await self._link.close()


class PacedTransport:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sent: Callable[[], None] = lambda: None

    async def dial(self, address: str) -> Link:
        return PacedLink(await self._transport.dial(address), lambda: self.sent())

    async def close(self) -> None:
        await self._transport.close()


class Counter:
    """The receiving node: counts, decodes if told so, and answers what asks for an answer."""

    def __init__(self) -> None:
        self.mesh: Mesh | None = None
        self.taken = 0
        self.decode = False

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        self.taken += len(encoded)
        if self.decode:
            for one in encoded:
                decode(one)
        elif len(encoded) == 1 and encoded[0] == b"ping" and self.mesh is not None:
            self.mesh.push(peer, b"pong")

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None:
        """A question how much was taken; `decode` in it says how to go on."""
        assert self.mesh is not None
        for signal in signals:
            self.decode = signal.answer.type == "decode"
            answer = mesh_pb2.Answer(call=str(self.taken), body=str(time.process_time()).encode())
            self.mesh.signal(peer, mesh_pb2.Signal(answer=answer))

    def on_peer_reached(self, peer: str) -> None: ...

    def on_peer_lost(self, peer: str) -> None: ...


class Sender:
    """The sending node's ears: the answers to its questions."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[int] = asyncio.Queue()
        self.pongs: asyncio.Queue[None] = asyncio.Queue()
        self.heard = asyncio.Event()

    async def on_pushes(self, peer: str, encoded: Sequence[bytes], missed_pushes: bool) -> None:
        self.heard.set()  # a stream begins with a gap
        for _ in encoded:
            self.pongs.put_nowait(None)

    def on_signals(self, peer: str, signals: Sequence[mesh_pb2.Signal]) -> None:
        for signal in signals:
            self.answers.put_nowait(int(signal.answer.call))

    def on_peer_reached(self, peer: str) -> None: ...

    def on_peer_lost(self, peer: str) -> None: ...


class Bench:
    """Two connected nodes, this one and the receiver."""

    def __init__(self, mesh: Mesh, transport: PacedTransport, ears: Sender) -> None:
        self._mesh = mesh
        self._transport = transport
        self._ears = ears
        self._message = Envelope(
            id=bytes(16),
            kind="billing",
            key="ORD-000001",
            type="shop.BillOrder",
            body=bytes(96),
            conversation=bytes(16),
            cause=bytes(16),
            sender="order-process/ORD-000001",
            reply_to="order-process/ORD-000001",
            sent_at_s=time.time(),
        ).encoded

    async def connected(self) -> None:
        """Wait until both ways are open."""
        await self._ears.heard.wait()
        await self._taken()

    async def rate(self, batch: int, *, decoded: bool) -> int:
        """Messages taken per second when each frame holds `batch` of them; 0: as many as there are."""
        before = await self._taken(decoded=decoded)
        began_s = time.perf_counter()
        stop_s = began_s + SECONDS
        done = asyncio.Event()

        def refill() -> None:
            if time.perf_counter() >= stop_s:
                done.set()
                return
            pushed = 0
            while pushed < (batch or 2048) and self._mesh.push("receiver", self._message):
                pushed += 1
            if not pushed:  # no credit: it comes when the receiver has taken more
                asyncio.get_running_loop().call_later(0.0005, refill)

        self._transport.sent = refill
        refill()
        await done.wait()
        self._transport.sent = lambda: None
        taken = await self._taken() - before
        return int(taken / (time.perf_counter() - began_s))

    async def round_trips(self) -> list[float]:
        """Seconds from a push to the push that answers it, sorted."""
        times_s = []
        for _ in range(ROUND_TRIPS):
            began_s = time.perf_counter()
            self._mesh.push("receiver", b"ping")
            await self._ears.pongs.get()
            times_s.append(time.perf_counter() - began_s)
        return sorted(times_s)

    async def _taken(self, *, decoded: bool = False) -> int:
        question = mesh_pb2.Signal(answer=mesh_pb2.Answer(type="decode" if decoded else ""))
        while not self._mesh.signal("receiver", question):  # noqa: ASYNC110 - the mesh tells nobody of room
            await asyncio.sleep(0.001)
        return await self._ears.answers.get()

    @property
    def message_bytes(self) -> int:
        return len(self._message)


async def _receive() -> None:
    """The other process: reads where the sender is, says where it is itself, and serves until its input ends."""
    ports = system_ports()
    loop = asyncio.get_running_loop()
    ears = Counter()
    ears.mesh, server = await _node("receiver", GrpcTransport(), ports, ears)
    print(server.address, flush=True)
    sender = await loop.run_in_executor(None, sys.stdin.readline)
    ears.mesh.set_peers({"sender": PeerAddress(sender.strip(), _INCARNATION)})
    await loop.run_in_executor(None, sys.stdin.read)
    await ears.mesh.close()
    await server.close(1.0)


async def _node(name: str, transport: Transport, ports: Ports, ears: Receiver) -> tuple[Mesh, GrpcServer]:
    mesh = Mesh(transport, ports, Identity("bench", name, _INCARNATION, "secret"), ears, MeshSettings())
    server = GrpcServer("127.0.0.1:0", ports)
    await server.start(mesh.accept)
    return mesh, server


async def _measure() -> dict[str, Any]:
    # The process comes first: nothing may be forked once gRPC has threads.
    other = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.mesh", "--receive", stdin=-1, stdout=-1)
    assert other.stdout is not None and other.stdin is not None
    address = (await other.stdout.readline()).decode().strip()
    ports = system_ports()
    ears = Sender()
    transport = PacedTransport(GrpcTransport())
    mesh, server = await _node("sender", transport, ports, ears)
    other.stdin.write(f"{server.address}\n".encode())
    mesh.set_peers({"receiver": PeerAddress(address, _INCARNATION)})
    bench = Bench(mesh, transport, ears)
    await bench.connected()
    report = await _figures(bench)
    other.stdin.close()
    await other.wait()
    await mesh.close()
    await server.close(1.0)
    return report


async def _figures(bench: Bench) -> dict[str, Any]:
    times_s = await bench.round_trips()
    batches = [
        Figure(batch, await bench.rate(batch, decoded=False), await bench.rate(batch, decoded=True))
        for batch in BATCHES
    ]
    return {
        "bench": "mesh",
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("grpcio", "protobuf", "uvloop")},
        "settings": {"seconds": SECONDS, "message_bytes": bench.message_bytes, "processes": 2},
        "batches": [asdict(figure) for figure in batches],
        "flood_per_s": await bench.rate(0, decoded=False),
        "round_trip_p50_ms": round(times_s[len(times_s) // 2] * 1000, 3),
        "round_trip_p99_ms": round(times_s[len(times_s) * 99 // 100] * 1000, 3),
    }


def _show(report: dict[str, Any]) -> None:
    print(f"{'per frame':>10} {'messages/s':>12} {'decoded/s':>12}")
    for figure in report["batches"]:
        print(f"{figure['batch']:>10} {figure['messages_per_s']:>12,} {figure['decoded_per_s']:>12,}")
    print(f"{'flood':>10} {report['flood_per_s']:>12,}")
    print(f"round trip of one message: p50 {report['round_trip_p50_ms']} ms, p99 {report['round_trip_p99_ms']} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mesh", description="Messages per second between two nodes.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        uvloop.run(_receive())
        return
    report = uvloop.run(_measure())
    if arguments.json:
        print(json.dumps(report))
    else:
        _show(report)


if __name__ == "__main__":
    main()
