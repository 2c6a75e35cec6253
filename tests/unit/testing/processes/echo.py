"""A plain server behind a proxy, and what a test says to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.testing.processes.proxy import Proxy

WITHIN_S = 30.0


class Target:
    """A server that keeps what each connection sent, and answers each chunk with the same in capitals."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []  # by connection, in the order they came
        self.ended: list[bool] = []  # whether it was ended, rather than broken
        self.over = 0  # connections that were ended or broken
        self.reads = asyncio.Event()
        self.reads.set()
        self.address = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = ":".join(map(str, self._server.sockets[0].getsockname()))
        return self.address

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number = len(self.heard)
        self.heard.append(bytearray())
        self.ended.append(False)
        try:
            while await self.reads.wait() and (data := await reader.read(65536)):
                self.heard[number] += data
                writer.write(data.upper())
            self.ended[number] = True
        except OSError:
            pass
        finally:
            self.over += 1
            writer.close()


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not check():
            await asyncio.sleep(0.001)


async def dial(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], data: bytes) -> bytes:
    reader, writer = streams
    writer.write(data)
    async with asyncio.timeout(WITHIN_S):
        return await reader.readexactly(len(data))


async def go_there_and_back(target: Target) -> None:
    """By a way on which nothing is wrong. What was sent to the target before it, and may pass, has arrived by then."""
    async with Proxy(target.address) as other:
        streams = await dial(other)
        assert await ask(streams, b"meanwhile") == b"MEANWHILE"
        streams[1].close()


async def is_broken(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends by a reset."""
    async with asyncio.timeout(WITHIN_S):
        try:
            await reader.read()
        except ConnectionResetError:
            return True
    return False
