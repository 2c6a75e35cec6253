"""`amends page` as people run it: a process that needs the store alone, and ends by a signal."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from runtime.adapters import system_ports
from runtime.operate.dead_letters import dead_letters
from runtime.store.open import open_store
from runtime.store.records import Transition
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store
from tests.acceptance.page_process import page_of, page_process
from tests.acceptance.shop import ROOT
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import TALK, fill, id_of, mail
from tests.unit.page.filling import acted, offered, sent
from tests.unit.page.seen import SeenPage

pytestmark = pytest.mark.timeout(200)


async def fill_store(url: str) -> None:
    store = open_store(url, system_ports())
    await store.open()
    await fill(store, stuck_row())
    await store.close()


async def made(folder: Path) -> str:
    url = f"sqlite:///{folder}/page.db"
    await fill_store(url)
    return url


async def changed(client: httpx.AsyncClient, address: str) -> str:
    """The first event that names a part."""
    async with client.stream("GET", "/live", params={"of": address}) as told:
        async for line in told.aiter_lines():
            if line.startswith("event: changed-"):
                return line
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize("ends_by", [signal.SIGTERM, signal.SIGINT])
async def test_the_page_is_served_without_a_node_and_ends_while_somebody_looks(
    tmp_path: Path, ends_by: signal.Signals
) -> None:
    async with httpx.AsyncClient(timeout=30.0) as client:
        async with page_of(await made(tmp_path), ends_by) as url:
            client.base_url = httpx.URL(url)
            assert "1 saga is stuck" in (await client.get("/")).text
            assert "undo of bill at billing/ORD-1" in (await client.get("/sagas/order-process/ORD-1")).text
            assert (await client.get("/livez")).text == "ok\n"
            assert await changed(client, "/sagas") == "event: changed-list"
            began = asyncio.Event()
            looking = asyncio.create_task(follow(client, began))
            await asyncio.wait_for(began.wait(), 30)
        assert await looking == "ended", "the stream is ended by the server, and not broken off"


async def follow(client: httpx.AsyncClient, began: asyncio.Event) -> str:
    async with client.stream("GET", "/live", params={"of": "/"}) as told:
        began.set()
        async for _ in told.aiter_lines():
            pass
    return "ended"


async def test_a_page_that_only_reads_takes_no_act(tmp_path: Path) -> None:
    url = await made(tmp_path)
    async with page_of(url) as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
        form = await offered(client, "/sagas/order-process/ORD-1", "retry")
    async with (
        page_of(url, signal.SIGTERM, "--read-only") as address,
        httpx.AsyncClient(base_url=address, timeout=30.0, headers={"sec-fetch-site": "same-origin"}) as client,
    ):
        assert "This page changes nothing." in (await client.get("/")).text
        answer = await sent(client, form, reason="x")
        assert answer.status_code == 403 and "this page only reads" in answer.text


@pytest.mark.parametrize("store", THROWAWAY_STORES)
async def test_the_page_reads_each_kind_of_store(store: str) -> None:
    async with throwaway_store(store, say=print) as url:
        await fill_store(url)
        async with page_of(url) as address, httpx.AsyncClient(base_url=address, timeout=30.0) as client:
            for screen in ("/", "/sagas?status=stuck&key=ORD", "/sagas/order-process/ORD-1", "/find?q=ORD-"):
                answer = await client.get(screen)
                assert answer.status_code == 200, answer.text
                assert ("1 saga is stuck" if screen == "/" else "order-process/ORD-1") in answer.text
            client.headers["origin"] = address.rstrip("/")
            told = await acted(client, "/sagas/order-process/ORD-1", "mark-undone")
            assert "Not done yet no node has handled it yet" in told.text
            for screen, status in (
                ("/sagas/a/%00", 404),
                ("/sagas?key=%00", 200),
                ("/find?q=%00", 200),
                ("/find?q=%FF", 400),
            ):
                assert (await client.get(screen)).status_code == status, screen


async def test_an_operation_whose_page_is_killed_is_resumed_and_acts_on_each_letter_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/page.db"
    store = open_store(url, system_ports())
    await store.open()
    await store.commit([Transition(mail=(mail(number, parked="boom"),)) for number in range(1, 501)])
    process = await page_process("--store", url, "--listen", "127.0.0.1:0", "--json")
    assert process.stdout is not None
    async with browser_at(json.loads(await process.stdout.readline())["url"]) as client:
        shown = await sent(client, await client.get("/dead-letters?kind=billing"), "/do/letters", do="replay-all")
        begun = await sent(client, shown, "/do/letters-run", reason="mended", count="500")
        while not 0 < len(await dead_letters(store, limit=1_000)) < 500:
            await asyncio.sleep(0.001)
        process.kill()
        await process.communicate()
    left = len(await dead_letters(store, limit=1_000))
    assert 0 < left < 500
    await store.commit([Transition(mail=(mail(999, parked="later"),))])
    async with page_of(url) as address, browser_at(address) as client:
        page = await client.get(begun.headers["location"])
        assert f"{500 - left} done, 0 refused, {left} left. It is not carried on here" in SeenPage(page.text).text
        assert (await sent(client, page, "/do/run", do="resume")).status_code == 303
        while "It is carried on here" in (seen := SeenPage((await client.get(begun.headers["location"])).text)).text:
            await asyncio.sleep(0.05)
        assert "500 done, 0 refused, 0 left. It is ended." in seen.text
    assert [one.row.id for one in await dead_letters(store, limit=1_000)] == [id_of(999)]
    acts = [row for row in await store.conversation(TALK) if row.type == "replayed"]
    assert len(acts) == 500, "each was replayed once"
    await store.close()


@asynccontextmanager
async def browser_at(address: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"origin": address.rstrip("/")}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30.0) as client:
        yield client


async def refused(*arguments: str) -> tuple[int | None, str]:
    process = await page_process(*arguments)
    try:
        _, errors = await asyncio.wait_for(process.communicate(), 60)
    except TimeoutError:
        process.kill()
        raise
    assert "Traceback" not in errors.decode()
    return process.returncode, errors.decode()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--listen", "0.0.0.0:0"), 2, "it asks nobody who he is"),
        (("--listen", "[::]:0"), 2, "it asks nobody who he is"),
        (("--listen", "example.com:80"), 2, "it asks nobody who he is"),
        (("--listen", "127.0.0.1"), 2, "must be HOST:PORT"),
        (("--store", "sqlite:///none.db"), 1, "none.db"),
        (("--store", "oracle://x"), 2, "is no store; use sqlite:///relative.db"),
        (("--contracts", "nothing.such"), 2, "cannot be imported"),
    ],
)
async def test_what_cannot_be_served_is_a_clear_error(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    returned, errors = await refused("--store", await made(tmp_path), "--listen", "127.0.0.1:0", *arguments)
    assert returned == code and said in errors, errors


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        returned, errors = await refused("--store", await made(tmp_path), "--listen", listen)
    assert returned == 1 and "another process has this port" in errors, errors


async def test_a_store_of_a_newer_version_is_named(tmp_path: Path) -> None:
    url = await made(tmp_path)
    connection = apsw.Connection(str(tmp_path / "page.db"))
    connection.execute("update meta set value = '99' where name = 'schema'")
    connection.close()
    returned, errors = await refused("--store", url)
    assert returned == 1 and "newer version" in errors, errors


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "jinja2"])
def test_without_the_extra_the_command_says_what_to_install(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; sys.argv = ['amends', 'page', '--help']; "
    program += "from runtime.cli.main import main; main()"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    told = f"Error: amends page needs {package}: pip install 'amends[page]'\n"
    assert (finished.returncode, finished.stderr) == (1, told)
