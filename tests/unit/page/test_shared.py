"""Screens that several people look at are read and drawn once for all; and nobody is shown what is not for him."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from actors.catalogue import catalogue
from runtime.errors import StoreUnavailable
from runtime.gateway.operators.operator import Operator
from runtime.operate.dead_letters import NotFound
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.drawing import Drawing
from runtime.page.shared import SharedScreens
from runtime.store.port import OperatorStore
from tests.unit.admin.test_repair import stuck
from tests.unit.operate.rows import SAGA, fill, row_of, saga
from tests.unit.page.conftest import PageStore

ANN, ANNA, BOB = Operator("ann", may_act=True), Operator("anna", may_act=True), Operator("bob", may_act=False)
LIST = "/sagas"
ONE = "/sagas/order-process/ORD-1"


class Board:
    """A page at which people look, and how often its store was opened."""

    def __init__(self, place: PageStore) -> None:
        self.opened = 0
        self.away = False
        self._view = view_of(place.url, place.ports)
        acting = acting_on(place.url, place.ports, catalogue(), "whoever")
        self.desk = PageDesk(self._counted, catalogue().contracts, place.url, acting)
        self.shared = SharedScreens(Drawing(place.url, acts=True))

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[OperatorStore]:
        self.opened += 1
        if self.away:
            raise StoreUnavailable("the disk is gone")
        async with self._view() as store:
            yield store

    async def look(self, address: str = LIST) -> None:
        await self.shared.look(self.desk, address)

    async def part(self, name: str = "list", address: str = LIST, *, by: Operator | None = None) -> str:
        return await self.shared.part(self.desk.of(by), address, name)


@pytest.fixture
async def board(place: PageStore) -> Board:
    async with place.writing() as store:
        await fill(store, row_of(stuck()))
    return Board(place)


async def test_twenty_who_look_at_one_screen_cost_one_reading(board: Board) -> None:
    await board.look()
    seen = await asyncio.gather(*(board.part() for _ in range(20)))
    assert len(set(seen)) == 1 and "ORD-1" in seen[0]
    assert board.opened == 1


async def test_whoever_is_told_of_a_change_is_shown_it(place: PageStore, board: Board) -> None:
    await board.look()
    async with place.writing() as store:
        await fill(store, saga("NEW"))
    assert "NEW" not in await board.part()
    await board.look()
    assert "NEW" in await board.part()


async def test_who_fetches_while_it_is_looked_at_waits_for_that_look(place: PageStore, board: Board) -> None:
    await board.look()
    async with place.writing() as store:
        await fill(store, saga("NEW"))
    looking = asyncio.create_task(board.look())
    await asyncio.sleep(0)
    fetched = await board.part()
    await looking
    assert "NEW" in fetched and board.opened == 2


async def test_who_may_only_read_shares_with_his_like_and_is_offered_no_act(board: Board) -> None:
    await board.look()
    read = await asyncio.gather(*(board.part(by=one) for one in (BOB, Operator("eve", may_act=False), BOB)))
    act = await asyncio.gather(*(board.part(by=one) for one in (ANN, ANNA)))
    assert len(set(read)) == 1 and "/repair" not in read[0]
    assert len(set(act)) == 1 and "/repair" in act[0]
    assert board.opened == 2, "once for each right"


async def test_a_screen_that_says_more_of_who_looks_is_drawn_for_each_alone(board: Board) -> None:
    await board.look(ONE)
    for one in (ANN, ANNA, BOB):
        assert "ORD-1" in await board.part("standing", ONE, by=one)
    assert board.opened == 4


async def test_of_a_store_that_is_away_nothing_old_is_shown(board: Board) -> None:
    await board.look()
    board.away = True
    with pytest.raises(StoreUnavailable):
        await board.look()
    with pytest.raises(StoreUnavailable):
        await board.part()


async def test_a_look_that_is_broken_off_leaves_nobody_waiting(board: Board) -> None:
    looking = asyncio.create_task(board.look())
    await asyncio.sleep(0)
    fetching = asyncio.create_task(board.part())
    await asyncio.sleep(0)
    looking.cancel()
    assert "ORD-1" in await fetching


async def test_what_nobody_looks_at_any_more_is_forgotten(board: Board) -> None:
    await board.look()
    await board.look("/")
    board.shared.keep_only({"/"})
    await board.part()
    await board.part("tiles", "/")
    assert board.opened == 3


async def test_a_part_that_an_address_does_not_show_is_not_found(board: Board) -> None:
    with pytest.raises(NotFound):
        await board.part("tiles")
    with pytest.raises(NotFound):
        await board.part("list", "/nowhere")


async def test_a_part_that_is_fetched_alone_is_that_of_the_page(place: PageStore, board: Board) -> None:
    async with place.browsing() as browser:
        page = (await browser.get(LIST)).text
        part = (await browser.get("/part", params={"of": LIST, "name": "list"})).text
        gone = await browser.get("/part", params={"of": "/sagas/order-process/NONE", "name": "rail"})
    assert part.startswith('<section id="list" hx-get="/part?of=%2Fsagas&amp;name=list"')
    opening = part.partition("\n")[0]
    assert opening in page and gone.status_code == 404


async def test_one_reading_of_the_reader_serves_all_its_addresses(board: Board, place: PageStore) -> None:
    async with board.desk.view() as store:
        over = board.desk.over(store)
        for address in ("/", LIST, "/cluster", "/operations"):
            await board.shared.look(over, address)
        assert await store.now_s() > 0, "no screen closes what it has not opened"
    assert board.opened == 1
    assert replace(over, view=board.desk.view) == board.desk


async def test_a_saga_that_ends_changes_the_mark_of_its_list(place: PageStore, board: Board) -> None:
    first = await board.shared.look(board.desk, LIST)
    assert await board.shared.look(board.desk, LIST) == first
    async with place.writing() as store:
        await fill(store, saga("NEW", status=SAGA.STUCK, stuck_reason="no bank"))
    assert await board.shared.look(board.desk, LIST) != first
