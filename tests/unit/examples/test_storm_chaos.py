"""Chaos over small scripts in place of nodes: bounded, drawn from its seed, and over when it says so."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from examples.storm.chaos import TROUBLES_MAX, Chaos, Pace
from runtime.testing.processes.harness import Harness, ProcessFailed
from tests.unit.testing.processes.scripted import SCRIPT, ready

NAMES = ("anna", "bert", "cleo", "dora")
KINDS = {"kills", "freezes", "cuts", "frozen_links", "delays", "throttles", "swallowed", "duplications"}
WILD = Pace(kill_every_s=0.1, trouble_every_s=0.02, restart_after_s=0.05, freeze_s=0.1, trouble_s=0.2)


@asynccontextmanager
async def open_harness(directory: Path) -> AsyncIterator[Harness]:
    script = directory / "script.py"
    script.write_text(SCRIPT)
    harness = Harness(command=[sys.executable, str(script)], directory=directory / "run", ready=ready, proxied=True)
    async with harness:
        await asyncio.gather(*(harness.start(name) for name in NAMES))
        yield harness


def is_well(harness: Harness) -> bool:
    links = [link for proxy in harness.proxies.values() for link in proxy.links.values()]
    ways = [way for link in links for way in (link.there, link.back)]
    return (
        all(node.alive and not node.frozen for node in harness.nodes.values())
        and not any(link.is_cut or link.duplicates for link in links)
        and not any(way.frozen or way.delay_s or way.bytes_per_s or way.swallows for way in ways)
    )


async def test_all_kinds_of_trouble_come_at_most_half_are_down_and_in_the_end_all_is_well(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        chaos = Chaos(harness, NAMES, seed=1, pace=WILD)
        most_down = most = 0
        while set(chaos.counts) != KINDS:  # a slow machine needs more time for as much; the suite's limit ends it
            running = asyncio.create_task(chaos.run(2.0))
            while not running.done():
                down = sum(not node.alive or node.frozen for node in harness.nodes.values())
                most_down, most = max(most_down, down), max(most, len(chaos.now))
                await asyncio.sleep(0.01)
            await running
            assert is_well(harness)
            assert chaos.now == ()
        assert 1 <= most_down <= len(NAMES) / 2
        assert 1 <= most <= TROUBLES_MAX + len(NAMES) / 2


async def test_cancelled_chaos_leaves_links_and_frozen_processes_well(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        endless = Pace(kill_every_s=1e6, trouble_every_s=0.02, freeze_s=60, trouble_s=60)
        chaos = Chaos(harness, NAMES, seed=2, pace=endless)
        running = asyncio.create_task(chaos.run(1000.0))
        await harness.eventually(
            lambda: any(node.frozen for node in harness.nodes.values()), timeout_s=20, what="one is frozen"
        )
        assert not is_well(harness)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert is_well(harness)


async def test_long_pauses_do_not_make_it_last_longer(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        chaos = Chaos(harness, NAMES, seed=3, pace=Pace(kill_every_s=1e6, trouble_every_s=1e6))
        async with asyncio.timeout(30):
            await chaos.run(0.2)
        assert not chaos.counts


async def test_the_seed_decides_who_is_killed_and_what_else_happens(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:

        def drawn(seed: int) -> list[str]:
            chaos = Chaos(harness, NAMES, seed=seed)
            return [chaos.draw(1.0).what for _ in range(30)]

        assert drawn(4) == drawn(4)
        assert drawn(4) != drawn(5)


async def test_a_process_that_ends_by_itself_ends_it_with_what_it_said(tmp_path: Path) -> None:
    """Nobody would notice otherwise: the next kill starts it again."""
    async with open_harness(tmp_path) as harness:
        (tmp_path / "script.py").write_text("print('no such luck'); raise SystemExit(3)")
        with pytest.raises(ProcessFailed, match=r"ended by itself: ended with exit code 3(.*\n)+no such luck"):
            await Chaos(harness, NAMES, seed=6, pace=WILD).run(30.0)
