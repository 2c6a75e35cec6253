"""Streams of calls in virtual time, over a network that is slow, held or cut: each caller hears once all the same.

Callers ask, wait, lose patience or are cancelled, in an order that a seed decides. The node's methods are slow, refuse,
hang, or have much to say. Both ends of the streams are the product's own.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from runtime.adapters import AsyncioTasks, SystemIds, SystemRandomness
from runtime.errors import LinkLost
from runtime.gateway.calls.dialled_stream import DialledStream, StreamBroken
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.grpc_call_link import broken
from runtime.gateway.calls.served_call import Opened
from runtime.gateway.calls.served_stream import CallCount, CallStreamEnded, CallStreamRefused, ServedStream
from runtime.ports import Fact, Link, Ports
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.link import SimLink
from runtime.testing.virtual.wires import SimNetwork

Code = grpc.StatusCode
LIMITS = CallLimits(calls_max=6, all_calls_max=1_000, unread_bytes_max=40_000)
NODE, CLIENT = "node", "client"
ENDS = ("answered", "refused", "too late", "cancelled")


class SimCallLink:
    """A simulated link as a client of a stream of calls has it."""

    def __init__(self, link: SimLink) -> None:
        self._link = link
        self.error: grpc.aio.AioRpcError | None = None

    async def send(self, frame: bytes) -> None:
        await self._heard(self._link.send(frame))

    async def receive(self) -> bytes | None:
        frame: bytes | None = await self._heard(self._link.receive())
        return frame

    async def end(self) -> None:
        self._link.outgoing.end()

    def cancel(self) -> None:
        self._link.fail(LinkLost("cancelled by its client"))

    async def _heard(self, wait: Any) -> Any:
        try:
            return await wait
        except LinkLost as error:
            self.error = self.error or broken(Code.UNAVAILABLE, str(error))
            raise


class AnySchedule:
    """One run: a node, a client, and callers that a seed decides about."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: Dice) -> None:
        self.loop, self.dice = loop, dice
        self.facts: list[Fact] = []
        self.came_to = dict.fromkeys(ENDS, 0)
        self.streams: list[ServedStream] = []
        self.count = CallCount()
        self.most = 0
        self.dialled: DialledStream | None = None
        self.ports = Ports(VirtualClock(loop), SystemIds(), SystemRandomness(), AsyncioTasks(), self.facts.append)
        self.network = SimNetwork(loop, dice.named("network"), lambda *_: None, wire_bytes_max=8_000)
        self.network.listen(NODE, self._accept, self.ports.tasks)

    # --- the node ---

    async def _accept(self, link: Link) -> None:
        opened = Opened(CLIENT, (), None, None, None)
        stream = ServedStream(link, opened, self.ports, LIMITS, self._find, self.count, "")
        self.streams.append(stream)
        await stream.run()
        await link.close()

    async def _find(self, method: str, _: object) -> Any:
        return SimpleNamespace(unary_unary=self._serve)

    async def _serve(self, request: bytes, context: Any) -> bytes:
        self.most = max(self.most, self.count.now)
        what = request.decode().split()[0]
        await asyncio.sleep(self.dice.between(0.0, 0.05))
        if what == "hang":
            await asyncio.Event().wait()
        if what == "refuse":
            await context.abort(Code.NOT_FOUND, request.decode())
        return request * (5_000 if what == "large" else 1)

    # --- the client ---

    async def caller(self, number: int) -> None:
        dice = self.dice.named(f"caller {number}")
        for turn in range(4):
            await asyncio.sleep(dice.between(0.0, 0.2))
            what = dice.choose(("small", "small", "small", "large", "refuse", "hang"))
            timeout_s = dice.between(0.01, 1.0) if what == "hang" or dice.chance(0.3) else 60.0
            asking = asyncio.create_task(self._ask(f"{what} {number}.{turn} ", self.loop.time() + timeout_s))
            if dice.chance(0.2):
                self.loop.call_later(dice.between(0.0, 0.1), asking.cancel)
            (end,) = await asyncio.gather(asking, return_exceptions=True)
            self.came_to["cancelled" if isinstance(end, asyncio.CancelledError) else end] += 1  # type: ignore[index]

    async def _ask(self, text: str, ends_s: float) -> str:
        while True:
            if self.dialled is None or not self.dialled.takes_calls:
                link = SimCallLink(self.network.connect(CLIENT, NODE))
                self.dialled = DialledStream(link, self.ports)
                self.ports.tasks.start(self.dialled.run(), name="stream of calls")
            try:
                answer = await self.dialled.ask("/any/Method", text.encode(), {}, ends_s)
            except StreamBroken:
                await asyncio.sleep(self.dice.between(0.01, 0.05))
                continue
            except grpc.aio.AioRpcError as error:
                assert error.code() is Code.DEADLINE_EXCEEDED
                return "too late"
            if answer.code == Code.DEADLINE_EXCEEDED.value[0]:
                return "too late"
            if answer.code:
                assert (answer.code, answer.text, text[:6]) == (Code.NOT_FOUND.value[0], text, "refuse")
                return "refused"
            assert answer.response in (text.encode(), text.encode() * 5_000)
            return "answered"

    # --- what happens meanwhile ---

    async def trouble(self) -> None:
        for _ in range(6):
            await asyncio.sleep(self.dice.between(0.0, 0.15))
            ways = (CLIENT, NODE), (NODE, CLIENT)
            match self.dice.below(4):
                case 0:
                    self.network.cut(CLIENT, NODE)
                    await asyncio.sleep(self.dice.between(0.0, 0.1))
                    self.network.join(CLIENT, NODE)
                case 1:
                    way = self.dice.choose(ways)
                    self.network.hold(way)
                    await asyncio.sleep(self.dice.between(0.0, 0.3))
                    self.network.release(way)
                case 2 if self.streams:
                    self.streams[-1].leave("go elsewhere")
                case 3 if self.streams:
                    self.streams[-1].finish()


async def _run(seed: int) -> AnySchedule:
    run = AnySchedule(asyncio.get_running_loop(), Dice(seed, "calls"))
    trouble = asyncio.create_task(run.trouble())
    await asyncio.gather(*(run.caller(number) for number in range(20)))
    await trouble
    if run.dialled is not None:
        run.dialled.close()
    await asyncio.sleep(5.0)  # in virtual time: whatever is left ends
    return run


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_every_caller_hears_once_and_nothing_is_left(first: int) -> None:
    came_to, most = dict.fromkeys(ENDS, 0), 0
    for seed in range(first, first + 20):
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            run = runner.run(_run(seed))
        assert sum(run.came_to.values()) == 20 * 4, seed
        assert run.count.now == 0, f"seed {seed}: {run.count.now} calls are left at the node"
        refused = [fact for fact in run.facts if isinstance(fact, CallStreamRefused)]
        assert not refused, f"seed {seed}: {refused}"
        ended = sum(isinstance(fact, CallStreamEnded) for fact in run.facts)
        assert ended == len(run.streams), f"seed {seed}: {len(run.streams) - ended} streams are left"
        came_to = {end: came_to[end] + run.came_to[end] for end in ENDS}
        most = max(most, run.most)
    assert all(came_to.values()) and most >= LIMITS.calls_max, (came_to, most)
