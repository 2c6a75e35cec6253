"""The yardstick's calls over one stream, as bare as the rest of it: everything that is ready goes in one frame.

    BareCaller.place ──frame of numbers and orders──▶ BareCalls ──▶ place     ◀──frame of numbers──

There are no deadlines, refusals or limits, and nothing is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc.aio

from runtime.protos.mesh_pb2 import Frame

__all__ = ["BareCaller", "BareCalls"]

_NUMBER_BYTES = 8


class _Gathered:
    """What is ready, taken all at once by the one who sends it."""

    def __init__(self) -> None:
        self._ready: list[bytes] = []
        self._event = asyncio.Event()

    def add(self, push: bytes) -> None:
        self._ready.append(push)
        self._event.set()

    async def frame(self) -> bytes:
        await self._event.wait()
        self._event.clear()
        pushes, self._ready = self._ready, []
        return Frame(pushes=pushes).SerializeToString()


class BareCalls:
    """The process's end. `place` handles one order."""

    def __init__(self, place: Callable[[bytes, Any], Awaitable[bytes]]) -> None:
        self._place = place
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, frames: AsyncIterator[bytes], context: Any) -> None:
        answers = _Gathered()
        writer = asyncio.create_task(self._write(answers, context))
        async for frame in frames:
            for push in Frame.FromString(frame).pushes:
                task = asyncio.create_task(self._answer(push, answers))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        writer.cancel()

    async def _answer(self, push: bytes, answers: _Gathered) -> None:
        await self._place(push[_NUMBER_BYTES:], None)
        answers.add(push[:_NUMBER_BYTES])

    async def _write(self, answers: _Gathered, context: Any) -> None:
        while True:
            await context.write(await answers.frame())


class BareCaller:
    """The client's end."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stream: Any = channel.stream_stream("/yardstick/places")(wait_for_ready=True)
        self._calls = _Gathered()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._next = 0
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]

    async def place(self, order: bytes) -> None:
        number = self._next.to_bytes(_NUMBER_BYTES, "big")
        self._next += 1
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._calls.add(number + order)
        await self._waiting[number]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _write(self) -> None:
        while True:
            await self._stream.write(await self._calls.frame())

    async def _read(self) -> None:
        while True:
            for number in Frame.FromString(await self._stream.read()).pushes:
                self._waiting.pop(number).set_result(None)
