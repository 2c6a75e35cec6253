"""Waits on a link end when this end is done with it, whatever the stream beneath does about it."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest

from runtime.errors import LinkLost
from runtime.mesh.link import GrpcLink


class DeafLink(GrpcLink):
    """Its stream never answers anything."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def receive(self) -> bytes:
        self._check()
        return await self._wait(asyncio.shield(self.stream))

    def end(self) -> None:
        self._interrupt()

    def _lost(self, error: BaseException | None) -> LinkLost:
        return LinkLost("lost")


async def waiting(link: DeafLink) -> asyncio.Task[bytes]:
    task = asyncio.create_task(link.receive())
    await asyncio.sleep(0)
    return task


async def test_ending_a_link_ends_every_wait_on_it() -> None:
    link = DeafLink()
    tasks = [await waiting(link), await waiting(link)]
    link.end()
    link.end()
    for task in tasks:
        with pytest.raises(LinkLost):
            await task


async def test_a_task_whose_wait_was_ended_can_go_on() -> None:
    link = DeafLink()
    went_on: list[int] = []

    async def use() -> None:
        with pytest.raises(LinkLost):
            await link.receive()
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        went_on.append(task.cancelling())

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    link.end()
    await task
    assert went_on == [0]


async def test_a_cancelled_task_is_cancelled_even_if_its_link_ends_at_the_same_time() -> None:
    link = DeafLink()
    task = await waiting(link)
    link.end()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_task_is_cancelled_and_not_told_of_a_lost_link() -> None:
    task = await waiting(DeafLink())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("error", [grpc.aio.UsageError("over"), asyncio.InvalidStateError(), asyncio.CancelledError()])
async def test_what_grpc_says_of_a_broken_stream_is_a_lost_link(error: BaseException) -> None:
    link = DeafLink()
    task = await waiting(link)
    link.stream.set_exception(error)
    with pytest.raises(LinkLost):
        await task


async def test_an_answer_that_came_before_the_end_still_counts_for_the_next_wait() -> None:
    link = DeafLink()
    link.stream.set_result(b"x")
    assert await link.receive() == b"x"
    link.end()
    with pytest.raises(LinkLost):
        await link.receive()
