"""Dead letters in groups, opened, chosen, and acted on by an operation that is kept in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from protos.billing_pb2 import BillOrder
from runtime.envelope import Envelope
from runtime.operate.dead_letters import dead_letters
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.store.records import MailRow
from tests.unit.operate.rows import TALK, fill, id_of, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.filling import fields_of, sent
from tests.unit.page.seen import SeenPage

EVIL = "<script>x</script>\u202e\x1b[31m"


def letter(
    number: int, *, kind: str = "billing", error: str = "ValueError: no such card", key: str = "ORD-1"
) -> MailRow:
    row = mail(number, kind=kind, parked=error)
    body = BillOrder(order_id=key, amount_cents=number).SerializeToString()
    envelope = Envelope(
        id=id_of(number), kind=kind, key=key, type="shop.BillOrder", body=body, conversation=TALK, sender="sales/ORD-1"
    )
    return replace(row, key=key, parked_at_s=100.0 + number, envelope=envelope.encoded)


async def fill_letters(place: PageStore, *letters: MailRow) -> None:
    async with place.writing() as store:
        await fill(store, *letters)


async def left(place: PageStore) -> list[str]:
    async with place.writing() as store:
        return [one.row.id.hex() for one in await dead_letters(store, limit=10_000)]


async def until_ended(browser: Browser, where: str) -> SeenPage:
    for _ in range(200):
        seen = SeenPage((await browser.get(where)).text)
        if "It is ended." in seen.text or "It is stopped" in seen.text:
            return seen
        await asyncio.sleep(0.02)
    raise AssertionError(seen.text)


def items(page: httpx.Response) -> list[str]:
    tags = SeenPage(page.text).tags
    return [str(attrs["value"]) for tag, attrs in tags if tag == "input" and attrs.get("name") == "item"]


async def chosen(browser: Browser, address: str, do: str, item: Sequence[str] = ()) -> httpx.Response:
    return await sent(browser, await browser.get(address), "/do/letters", do=do, item=list(item))


async def confirmed(browser: Browser, shown: httpx.Response, **said: Any) -> SeenPage:
    answer = await sent(browser, shown, "/do/letters-run", **{"reason": "the card reader was mended", **said})
    assert answer.status_code == 303, SeenPage(answer.text).text
    return await until_ended(browser, answer.headers["location"])


async def test_groups_are_counted_and_opened(place: PageStore) -> None:
    many = [letter(number) for number in range(1, 8)]
    await fill_letters(
        place, *many, letter(20, error="KeyError: 'x'\nTraceback: ..."), letter(21, kind="sales", error=EVIL)
    )
    async with place.browsing(acts=False) as browser:
        seen = SeenPage((await browser.get("/dead-letters")).text)
        assert "9 messages were given up." in seen.text
        assert "billing shop.BillOrder ValueError 7" in seen.text and "KeyError 1" in seen.text
        where = next(one for words, one in seen.all_links if words == "billing")
        opened = SeenPage((await browser.get(where)).text)
        assert "7 dead letters" in opened.text and '"order_id": "ORD-1"' in opened.text
        assert opened.links["conversation"] == f"/conversations/{TALK.hex()}"
        assert not fields_of((await browser.get(where)).text, "/do/letters"), "a page that only reads has no form"
        hostile = await browser.get("/dead-letters?kind=sales")
        assert "\u202e" not in hostile.text and "\x1b" not in hostile.text
        assert all("src" in attrs for tag, attrs in SeenPage(hostile.text).tags if tag == "script")


async def test_a_letter_that_comes_after_the_click_is_not_taken(place: PageStore) -> None:
    await fill_letters(place, *(letter(number) for number in range(1, 4)))
    async with place.browsing() as browser:
        shown = await chosen(browser, "/dead-letters?kind=billing&class=ValueError", "replay-all")
        assert "3 messages would be let run again" in SeenPage(shown.text).text
        await fill_letters(place, letter(9))
        seen = await confirmed(browser, shown, who="carla")
        assert "replay of 3 dead letters: 3 done, 0 refused, 0 left" in seen.text
        assert "By carla" in seen.text and "because: the card reader was mended" in seen.text
        assert "Chosen by: kind=billing, class=ValueError" in seen.text
        assert await left(place) == [id_of(9).hex()]
        again = await sent(browser, shown, "/do/letters-run", reason="x")
        assert again.status_code == 303, "the same form once more leads to the same operation"
        assert "3 done" in (await until_ended(browser, again.headers["location"])).text
        told = SeenPage((await browser.get("/operations")).text)
        assert told.text.count("replay of dead letters") == 1
    async with place.writing() as store:
        acts = [row for row in await store.conversation(TALK) if row.type == "replayed"]
    assert len(acts) == 3 and {row.node for row in acts} == {"operator/carla"}


async def test_a_selection_takes_just_those_that_were_marked(place: PageStore) -> None:
    await fill_letters(place, *(letter(number, key=f"a b/{number}%&é\u202e") for number in range(1, 6)))
    async with place.browsing() as browser:
        page = await browser.get("/dead-letters?all=yes")
        shown = await sent(browser, page, "/do/letters", do="discard", item=items(page)[1:3])
        assert "2 messages would be given up for good" in SeenPage(shown.text).text
        seen = await confirmed(browser, shown)
        assert "discard of 2 dead letters: 2 done" in seen.text and "chosen by hand" in seen.text
        assert await left(place) == [id_of(number).hex() for number in (1, 4, 5)]
        seen = await confirmed(browser, await sent(browser, page, "/do/letters", do="replay", item=items(page)[:2]))
        assert "replay of 1 dead letters" in seen.text, "one was discarded meanwhile"
        gone = await sent(browser, page, "/do/letters", do="replay", item=items(page)[1:3])
        assert gone.status_code == 400 and "none of the chosen ones is parked any more" in gone.text


async def test_what_is_gone_between_preview_and_act_is_refused_by_itself(place: PageStore) -> None:
    await fill_letters(place, letter(1), letter(2))
    async with place.browsing() as browser:
        both, first = [
            await chosen(browser, f"/dead-letters?{query}", "discard-all")
            for query in ("kind=billing", "error=no such")
        ]
        await confirmed(browser, first)
        seen = await confirmed(browser, both)
        assert "discard of 2 dead letters: 0 done, 2 refused" in seen.text
        assert "it is no longer parked" in seen.text


async def test_more_than_people_count_takes_their_number(place: PageStore) -> None:
    await fill_letters(place, *(letter(number) for number in range(1, 31)))
    async with place.browsing() as browser:
        shown = await chosen(browser, "/dead-letters?kind=billing", "replay-all")
        assert "There are 30 of them. Type this number" in SeenPage(shown.text).text
        for typed in ("", "29", "thirty"):
            refused = await sent(browser, shown, "/do/letters-run", reason="x", count=typed)
            assert refused.status_code == 400 and "type their number" in refused.text
        assert len(await left(place)) == 30
        assert "30 done" in (await confirmed(browser, shown, count="30")).text


async def test_what_a_check_refuses_is_said_before_and_done_by_force_alone(place: PageStore) -> None:
    settled = TaskRecord(path="bill", status=TaskRecord.DONE, do=Exchange(command_id=id_of(1), status=Exchange.DONE))
    async with place.writing() as store:
        await fill(store, saga(tasks=(settled,)), mail(1, parked="boom", reply_to="order-process/ORD-1"))
    async with place.browsing() as browser:
        shown = await chosen(browser, "/dead-letters?kind=billing", "replay-all")
        why = "order-process/ORD-1 no longer waits for shop.BillOrder: its step bill is done"
        assert why in SeenPage(shown.text).text
        seen = await confirmed(browser, shown)
        assert "0 done, 1 refused" in seen.text and why in seen.text and len(await left(place)) == 1
        shown = await chosen(browser, "/dead-letters?kind=billing", "replay-all")
        seen = await confirmed(browser, shown, force="yes")
        assert "replay, by force of 1 dead letters: 1 done" in seen.text and not await left(place)


WRONG: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"do": "replay"}, 400, "no dead letter is chosen"),
    ({"do": "discard-all", "item": ["x"]}, 400, "would mean every dead letter"),
    ({"do": "replay-all"}, 400, "would mean every dead letter"),
    ({"do": "shrug"}, 400, "say what becomes of the letters"),
    ({"do": "replay", "item": ["nothing"]}, 400, "names no dead letter"),
    ({"do": "replay", "item": ["%FF/1/a/b"]}, 400, "names no dead letter"),
    ({"do": "replay-all", "kind": "billing"}, 403, "this form was not drawn so"),
    ({"do": "replay-all", "other": "x"}, 400, "this form has no field"),
)


async def test_a_choice_that_says_nothing_or_was_changed_is_refused(place: PageStore) -> None:
    await fill_letters(place, letter(1))
    async with place.browsing() as browser:
        page = await browser.get("/dead-letters?all=yes")
        for said, status, words in WRONG:
            answer = await sent(browser, page, "/do/letters", **said)
            assert answer.status_code == status and words in SeenPage(answer.text).text, (said, answer.text)
        shown = await sent(browser, page, "/do/letters", do="replay", item=items(page))
        for change in ({"items": f"{items(page)[0]}\n{items(page)[0]}"}, {"act": "discard"}, {"name": "another"}):
            assert (await sent(browser, shown, "/do/letters-run", reason="x", **change)).status_code == 403
        for said in ({"reason": ""}, {"reason": "x", "who": " "}, {"reason": "x" * 2_001}):
            assert (await sent(browser, shown, "/do/letters-run", **said)).status_code == 400
    assert len(await left(place)) == 1
