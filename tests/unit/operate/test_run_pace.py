"""How fast a run goes, so that it floods no cluster, and how long it is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runtime.operate.dead_letters import NotFound
from runtime.operate.letter_runs import KIND, begin
from runtime.operate.run import KEPT_S, KeptRun
from runtime.operate.runs import ITEMS_PER_S_MAX, cancel, carry_on, kept_run, run_views
from runtime.protos.saga_pb2 import LetterRun, RunCancelled
from runtime.store.memory import MemoryStore
from runtime.store.parked import ParkedPlace
from runtime.store.records import Busy
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import fill, id_of, join, mail


async def begun(store: MemoryStore, name: str, count: int, *, at_s: float, act: int = LetterRun.REPLAY) -> KeptRun:
    said = LetterRun(act=LetterRun.Act.ValueType(act), who="ann", reason="x")
    places = [ParkedPlace(id_of(number), "billing", "ORD-1", 3) for number in range(1, count + 1)]
    return await begin(store, name, said, places, now_s=at_s)


def test_a_run_acts_on_so_many_a_second_at_most() -> None:
    async def scenario() -> float:
        node = LocalNode([])
        clock = node.ports.clock
        await fill(node.store, *(mail(number, parked="boom") for number in range(1, 251)))
        run, began_s = await begun(node.store, "many", 250, at_s=clock.now_s()), clock.monotonic_s()
        assert (await carry_on(node.store, run, clock, wait_s=9.0)).left == 0
        return clock.monotonic_s() - began_s

    assert in_virtual_time(scenario) == pytest.approx(200 / ITEMS_PER_S_MAX), (
        "two pages, each at its pace, then the last"
    )


@pytest.mark.parametrize("act", [LetterRun.REPLAY, LetterRun.DISCARD])
def test_nothing_is_replayed_while_a_node_has_more_to_do_than_it_takes(act: LetterRun.Act.ValueType) -> None:
    async def scenario() -> None:
        node = LocalNode([])
        store, clock = node.store, node.ports.clock
        await join(store, "one", kinds=("billing",), lease_s=600.0)
        full = Busy("one", "abc", clock.now_s(), clock.now_s() + 600.0, (), refuses_since_s=clock.now_s())
        store.tell_busy(full)
        await fill(store, *(mail(number, parked="boom") for number in (1, 2)))
        run = await begun(store, "many", 2, at_s=clock.now_s(), act=act)
        out_of_time = await carry_on(store, run, clock, wait_s=9.0, until_s=clock.monotonic_s() + 20.0)
        assert out_of_time.left == (2 if act == LetterRun.REPLAY else 0), "a discard gives no node anything to do"
        going = asyncio.ensure_future(carry_on(store, out_of_time, clock, wait_s=9.0))
        await clock.sleep(60.0)
        assert going.done() is (act == LetterRun.DISCARD)
        store.tell_busy(replace(full, told_at_s=clock.now_s(), refuses_since_s=0.0))
        assert (await going).left == 0

    in_virtual_time(scenario)


def test_runs_that_ended_long_ago_are_forgotten_when_another_begins() -> None:
    async def scenario() -> None:
        node = LocalNode([])
        store, now_s = node.store, node.ports.clock.now_s()
        old_s = now_s - KEPT_S - 1.0
        await fill(store, mail(1, parked="boom"))
        await carry_on(store, await begun(store, "ended", 1, at_s=old_s), node.ports.clock, wait_s=1.0)
        await fill(store, *(mail(number, parked="boom") for number in (2, 3)))
        places = {name: ParkedPlace(id_of(number), "billing", "ORD-1", 3) for number, name in enumerate("?ab", 1)}
        said = LetterRun(act=LetterRun.DISCARD, who="ann", reason="x")
        await begin(store, "left", said, [places["a"]], now_s=old_s)
        await begin(store, "cancelled", said, [places["b"]], now_s=old_s)
        await cancel(store, KIND, "cancelled", RunCancelled(who="bo", reason="x", at_s=now_s))
        await begin(store, "young", said, [places["b"]], now_s=now_s)
        assert sorted(one.name for one in await run_views(store, limit=9)) == ["left", "young"]
        with pytest.raises(NotFound):
            await kept_run(store, KIND, "ended")

    in_virtual_time(scenario)
