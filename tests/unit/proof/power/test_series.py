"""A series of lives: what it leaves behind, and that a life which has ended does nothing more."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.front import NodeDown
from tests.proof.power.books import Books
from tests.proof.power.cut_moment import draw_aim
from tests.proof.power.disk import Aim, Disk
from tests.proof.power.life import Life
from tests.proof.power.series import cut_series
from tests.proof.workloads.orders import Orders


@pytest.fixture(scope="module")
def orders() -> Orders:
    return Orders()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(str(tmp_path), tmp_path, {}, Dice(1))


@pytest.fixture
async def life(orders: Orders, disk: Disk) -> Life:
    ports = system_ports()
    settings = Settings(name="one", lease_s=60.0)
    return Life(disk, orders.catalogue, settings, Books(ports), ports, Dice(1), checkpoint_pages=4_000)


async def until_serving(life: Life) -> None:
    while not life.serves:
        assert not life.broken
        await asyncio.sleep(0.001)


def test_a_series_has_the_cuts_it_was_told_and_ends_at_rest(orders: Orders, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    result = cut_series(1, orders, tmp_path, cuts_max=5)
    assert not result.broken
    assert result.cuts == 5 < result.figures["lives"]
    assert result.figures["started"] == 20 == result.figures["completed"] + result.figures["cancelled"]
    assert set(threading.enumerate()) <= before, "a life has left a thread"


def test_without_a_cut_a_series_is_a_node_that_stops_and_starts_again(orders: Orders, tmp_path: Path) -> None:
    result = cut_series(2, orders, tmp_path, cuts_max=0)
    assert not result.broken
    assert (result.cuts, result.figures["lives"]) == (0, 2)
    assert result.failed_at is None


def test_moments_of_all_kinds_are_drawn() -> None:
    aims = [draw_aim(Dice(seed)) for seed in range(500)]
    kinds = {aim.kind for aim in aims}
    assert {"write log", "sync log", "write file", "sync file", "create log", "any operation"} <= kinds
    assert min(aim.nth for aim in aims) == 1 and max(aim.nth for aim in aims) > 100


async def test_a_dead_life_answers_nobody_and_does_nothing_more(life: Life, disk: Disk) -> None:
    life.start()
    await until_serving(life)
    gate, begun, woken = asyncio.Event(), asyncio.Event(), list[str]()

    async def wait(node: Node) -> None:
        begun.set()
        await gate.wait()
        woken.append("by itself")

    calling = asyncio.create_task(life.call(wait, timeout_s=60.0))
    await begun.wait()
    disk.cut()
    await life.end()
    with pytest.raises(NodeDown):
        await calling
    gate.set()
    ports = life.node._ports
    ports.clock.call_later(0.0, woken.append, "by the clock")
    ports.tasks.call_soon(woken.append, "by the loop")
    with pytest.raises(asyncio.CancelledError):
        await ports.tasks.start(wait(life.node), name="late")
    await asyncio.sleep(0.01)
    assert not woken
    assert life.is_over and not life.serves and not life.broken


async def test_an_answer_that_was_ready_when_the_power_went_does_not_leave(life: Life, disk: Disk) -> None:
    life.start()
    await until_serving(life)

    async def answer(node: Node) -> str:
        disk.cut()
        return "done"

    with pytest.raises(NodeDown):
        await life.call(answer, timeout_s=60.0)
    await life.end()


async def test_a_node_that_ends_while_there_is_power_breaks_a_promise(life: Life, disk: Disk) -> None:
    (disk.folder / "store.db").write_bytes(b"no database " * 1_000)
    life.start()
    while not life.is_over:
        await asyncio.sleep(0.001)
    [broken] = life.broken
    assert "is no database" in broken.what
    disk.cut()
    await life.end()


async def test_a_node_that_the_power_leaves_while_it_starts_is_excused(life: Life, disk: Disk) -> None:
    disk.aim(Aim(nth=20))
    life.start()
    while not life.is_over:
        await asyncio.sleep(0.001)
    await life.end()
    assert disk.was_cut and not life.broken
