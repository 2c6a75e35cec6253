"""A page that knows its operators lets nobody else in, and each acts in his own name as far as his rights go."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from actors.catalogue import catalogue
from runtime.adapters import SystemIds
from runtime.errors import InvalidSettings
from runtime.gateway.operators.authenticator import Authenticator
from runtime.gateway.operators.operator import digest_of, new_token
from runtime.page import sign_in
from runtime.page.app import PageApp
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.server import PageServer
from tests.unit.admin.test_repair import stuck
from tests.unit.operate.rows import fill, row_of
from tests.unit.page.conftest import OWN, Browser, PageStore
from tests.unit.page.filling import fields_of, sent
from tests.unit.page.seen import SeenPage

ANN, BOB = new_token(SystemIds()), new_token(SystemIds())
SAGA = "/sagas/order-process/ORD-1"
SCREEN = {"accept": "text/html"}


def operators(folder: Path, *, with_ann: bool = True) -> Path:
    path = folder / "operators.toml"
    ann = f'[ann]\nrights = "act"\ntoken = "{digest_of(ANN)}"\n' if with_ann else ""
    path.write_text(f'{ann}[bob]\nrights = "read"\ntoken = "{digest_of(BOB)}"\n')
    path.chmod(0o600)
    return path


def desk_of(place: PageStore) -> PageDesk:
    acting = acting_on(place.url, place.ports, catalogue(), "whoever")
    return PageDesk(view_of(place.url, place.ports), catalogue().contracts, place.url, acting)


@asynccontextmanager
async def at_the_door(
    place: PageStore, *, proxy_header: str = "", client: str = "127.0.0.1", base_url: str = OWN
) -> AsyncIterator[Browser]:
    async with place.writing() as store:
        await fill(store, row_of(stuck()))
    asked = Authenticator(operators(place.file.parent), place.ports, proxy_header=proxy_header)
    app = PageApp(desk_of(place), place.ports, authenticator=asked, hosts=["page.example.test"])
    transport = httpx.ASGITransport(app.asgi, client=(client, 4711))
    own = {"origin": base_url, "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=own) as browser:
        yield browser
    await app.close()


async def signed_in(browser: Browser, token: str, to: str = "/") -> httpx.Response:
    return await browser.post("/sign-in", data={"token": token, "to": to})


@pytest.mark.parametrize("address", ["/", SAGA, "/sagas?status=stuck", "/find?q=a%26b"])
async def test_who_is_not_known_is_asked_to_sign_in_and_comes_to_what_he_asked_for(
    place: PageStore, address: str
) -> None:
    async with at_the_door(place) as browser:
        asked = await browser.get(address, headers=SCREEN)
        assert asked.status_code == 303 and asked.headers["location"].startswith("/sign-in?to=")
        form = await browser.get(asked.headers["location"])
        assert form.status_code == 200 and place.url not in form.text
        to = next(str(tag["value"]) for _, tag in SeenPage(form.text).tags if tag.get("name") == "to")
        assert to == address
        answer = await signed_in(browser, ANN, to)
        assert (answer.status_code, answer.headers["location"]) == (303, address)
        assert (await browser.get(address, headers=SCREEN)).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/", SAGA, "/live?of=/", "/part?of=/&name=tiles", "/%6civez", "/%73tatic/page.css", "/sign-in/", "/do/act"],
)
async def test_nothing_but_the_door_answers_one_whom_nobody_knows(place: PageStore, address: str) -> None:
    async with at_the_door(place) as browser:
        for method in ("GET", "POST"):
            answer = await browser.request(method, address)
            assert answer.status_code == 401 and "ORD-1" not in answer.text, (method, address)
        for open_to_all in ("/livez", "/static/page.css", "/sign-in"):
            assert (await browser.get(open_to_all)).status_code == 200


async def test_a_token_that_nobody_has_signs_nobody_in(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        refused = await signed_in(browser, "amends_guess")
        assert refused.status_code == 403 and "no operator has this token" in SeenPage(refused.text).text
        assert "amends_guess" not in refused.text and not browser.cookies
        assert (await browser.get("/", headers={"cookie": "amends-session=" + "0" * 64})).status_code == 401


async def test_a_session_is_kept_from_scripts_and_from_other_pages(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        cookie = (await signed_in(browser, ANN)).headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie and ANN not in cookie
    async with at_the_door(place, base_url="https://page.example.test") as browser:
        assert "Secure" in (await signed_in(browser, ANN)).headers["set-cookie"]


async def test_a_form_of_another_page_signs_nobody_in(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        answer = await browser.post("/sign-in", data={"token": ANN, "to": "/"}, headers=foreign)
        assert answer.status_code == 403 and not browser.cookies


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"])
async def test_signing_in_leads_to_no_other_host(place: PageStore, to: str) -> None:
    async with at_the_door(place) as browser:
        answer = await signed_in(browser, ANN, to)
        assert answer.headers.get("location", "/") == "/"


async def test_who_signs_out_is_outside_and_so_is_one_whose_token_is_taken_back(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        await signed_in(browser, ANN)
        kept = browser.cookies["amends-session"]
        assert "You are ann" in SeenPage((await browser.get("/")).text).text
        assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
        assert (await browser.get("/", headers={"cookie": f"amends-session={kept}"})).status_code == 401
        await signed_in(browser, ANN)
        operators(place.file.parent, with_ann=False)
        assert (await browser.get("/")).status_code == 401
        (place.file.parent / "operators.toml").unlink()
        assert (await browser.get("/")).status_code == 503


async def test_a_session_ends_by_itself(place: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_the_door(place) as browser:
        monkeypatch.setattr(sign_in, "_SESSION_S", -1.0)
        await signed_in(browser, ANN)
        assert (await browser.get("/")).status_code == 401


async def test_new_sessions_make_the_oldest_ones_end(place: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "_SESSIONS_MAX", 1)
    async with at_the_door(place) as browser:
        await signed_in(browser, ANN)
        oldest = browser.cookies["amends-session"]
        await signed_in(browser, BOB)
        assert (await browser.get("/", headers={"cookie": f"amends-session={oldest}"})).status_code == 401
        assert (await browser.get("/")).status_code == 200


async def test_a_program_says_its_token_with_each_request(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        assert (await browser.get("/", headers={"authorization": f"Bearer {BOB}"})).status_code == 200
        refused = await browser.get("/", headers={"authorization": f"Bearer {BOB}x"})
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"


async def test_a_proxy_on_this_machine_says_who_looks(place: PageStore) -> None:
    async with at_the_door(place, proxy_header="x-user") as browser:
        assert (await browser.get("/", headers={"x-user": "bob"})).status_code == 200
        assert (await browser.get("/", headers={"x-user": "eve"})).status_code == 401
        twice = [("x-user", "bob"), ("x-user", "ann"), ("host", "127.0.0.1")]
        assert (await browser.get("/", headers=twice)).status_code == 401
    async with at_the_door(place, proxy_header="x-user", client="10.0.0.7") as browser:
        assert (await browser.get("/", headers={"x-user": "bob"})).status_code == 401


async def test_one_who_may_only_read_is_offered_no_act_and_can_do_none(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        await signed_in(browser, ANN)
        assert "act=retry" in (await browser.get(SAGA)).text
        await signed_in(browser, BOB)
        assert "act=retry" not in (await browser.get(SAGA)).text
        refused = await browser.post("/do/act", data={"step": "preview"})
        assert refused.status_code == 403 and "your rights are to read" in SeenPage(refused.text).text


async def test_an_operator_acts_in_his_own_name(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        await signed_in(browser, ANN)
        links = SeenPage((await browser.get(SAGA)).text).all_links
        form = await browser.get(next(address for _, address in links if "act=retry" in address))
        fields = fields_of(form.text)
        assert fields["who"] == "ann"
        fields["reason"] = "the bank was called"
        assert "ann does it" in SeenPage((await browser.post("/do/act", data=fields)).text).text
        refused = await browser.post("/do/act", data={**fields, "who": "bob"})
        assert refused.status_code == 400 and "cannot act in the name of 'bob'" in SeenPage(refused.text).text


async def test_a_name_that_was_declared_is_answered_and_its_forms_come_from_it(place: PageStore) -> None:
    for base_url in ("https://page.example.test", "http://page.example.test:8080"):
        async with at_the_door(place, base_url=base_url) as browser:
            assert (await signed_in(browser, ANN)).status_code == 303
            forged = {"origin": "https://other.example.test"}
            assert (await browser.post("/sign-out", headers=forged)).status_code == 403
    async with at_the_door(place, base_url="https://other.example.test") as browser:
        assert (await browser.get("/sign-in")).status_code == 421


async def test_a_page_that_asks_nobody_has_no_door(place: PageStore) -> None:
    async with place.browsing() as browser:
        assert (await browser.get("/sign-in")).status_code == 404
        assert (await browser.post("/sign-out")).status_code == 404


def test_beyond_the_loopback_a_page_knows_who_may_come_in_and_by_which_names(place: PageStore) -> None:
    asked = Authenticator(operators(place.file.parent), place.ports)
    desk = dataclasses.replace(desk_of(place), acting=None)
    for wrong in ({}, {"authenticator": asked}, {"hosts": ["page.example.test"]}):
        with pytest.raises(InvalidSettings, match="--operators FILE --host NAME"):
            PageServer(desk, "0.0.0.0:0", place.ports, **wrong)
    PageServer(desk, "0.0.0.0:0", place.ports, authenticator=asked, hosts=["page.example.test"])


async def test_an_operation_over_many_is_begun_by_who_may_act_and_in_his_own_name(place: PageStore) -> None:
    async with at_the_door(place) as browser:
        await signed_in(browser, ANN)
        select = await browser.get("/repair?status=stuck")
        shown = await sent(browser, select, "/do/sagas", act="abandon", all="yes")
        foreign = await sent(browser, shown, "/do/sagas-run", reason="x", who="eve")
        assert foreign.status_code == 400 and "ann cannot act in the name of" in SeenPage(foreign.text).text
        begun = await sent(browser, shown, "/do/sagas-run", reason="x", who="")
        assert "By ann" in SeenPage((await browser.get(begun.headers["location"])).text).text
        await signed_in(browser, BOB)
        seen = await browser.get(begun.headers["location"])
        assert seen.status_code == 200 and not fields_of(seen.text, "/do/run")
        assert (await browser.get("/repair?status=stuck")).status_code == 403
        for page, action in ((select, "/do/sagas"), (shown, "/do/sagas-run")):
            assert (await sent(browser, page, action, reason="x")).status_code == 403
