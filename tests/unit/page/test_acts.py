"""Acts on one saga by forms: previewed, confirmed, and told as they have happened; and which forms are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.envelope import decode
from runtime.page.forms import BODY_BYTES_MAX
from runtime.page.links import actor_link
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.store.records import Expected, MailRow, Transition
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import SAGA, TALK, actor, fill, id_of, order, saga
from tests.unit.page.conftest import PageStore
from tests.unit.page.filling import fields_of, offered, previewed, sent
from tests.unit.page.seen import SeenPage
from tests.unit.page.test_actor import HOSTILE

PAGE = "/sagas/order-process/ORD-1"


async def posted(place: PageStore) -> list[MailRow]:
    async with place.writing() as store:
        return await store.waiting_for(("order-process", "ORD-1"), stuck_row().shard, limit=9)


@pytest.fixture
async def stuck(place: PageStore) -> PageStore:
    async with place.writing() as store:
        await fill(store, stuck_row())
    return place


async def test_a_preview_says_what_would_be_sent_and_owed_and_posts_nothing(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        seen = SeenPage((await previewed(browser, PAGE, "mark-undone")).text)
        assert "If you confirm: mark-undone bill, which was owed" in seen.text
        assert "Status: stuck becomes compensating" in seen.text
        assert "CancelOrder sales/ORD-1" in seen.text and "bill: owed becomes undone" in seen.text
        assert "No undo is owed." in seen.text and "ann does it, because: the bank was called" in seen.text
        seen = SeenPage((await previewed(browser, PAGE, "retry")).text)
        assert "Owed then undo of bill" in seen.text and "RefundOrder billing/ORD-1" in seen.text
    assert not await posted(stuck)


async def test_what_is_confirmed_is_posted_once_as_it_was_shown(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        shown = await previewed(browser, PAGE, "mark-undone", who="carla", reason="paid back <b>by hand</b> \u202e")
        assert "\u202e" not in SeenPage(shown.text).text and "<b>" in SeenPage(shown.text).text
        answer = await sent(browser, shown)
        assert answer.status_code == 303
        told = SeenPage((await browser.get(answer.headers["location"])).text)
        assert "Not done yet no node has handled it yet" in told.text
    (mail,) = await posted(stuck)
    act = RepairSaga.FromString(decode(mail.envelope).body)
    assert (act.act, act.task, act.who) == (RepairSaga.MARK_UNDONE, "bill", "carla")
    assert act.reason == "paid back <b>by hand</b> \u202e"
    assert act.expected_revision == SagaRecord.FromString(stuck_row().state).revision


async def test_a_page_that_only_reads_offers_commands_and_takes_no_form(stuck: PageStore) -> None:
    async with stuck.browsing() as acting:
        form = await offered(acting, PAGE, "retry")
    async with stuck.browsing(acts=False) as browser:
        seen = SeenPage((await browser.get(PAGE)).text)
        assert "This page changes nothing." in seen.text and "amends admin repair retry" in seen.text
        assert not [where for _, where in seen.all_links if where.startswith("/act?")]
        for answer in (await browser.get(str(form.url)), await sent(browser, form, reason="x")):
            assert answer.status_code == 403 and "this page only reads" in answer.text
    assert not await posted(stuck)


async def test_what_cannot_be_done_is_not_offered_and_why_is_said(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        seen = SeenPage((await browser.get(PAGE)).text)
        assert "resume: it is not suspended" in seen.text and "cancel: " in seen.text
    async with stuck.browsing(knows=False) as browser:
        assert "What cannot be done now" not in (await browser.get(PAGE)).text


async def test_a_build_without_the_version_says_that_it_cannot_tell_and_lets_one_act(stuck: PageStore) -> None:
    async with stuck.browsing(knows=False) as browser:
        shown = await previewed(browser, PAGE, "retry")
        assert "What would follow cannot be told here" in shown.text and "which this build lacks" in shown.text
        assert (await sent(browser, shown)).status_code == 303
    assert len(await posted(stuck)) == 1


async def test_a_saga_that_has_moved_refuses_and_the_preview_says_what_has_changed(stuck: PageStore) -> None:
    row, moved = stuck_row(), SagaRecord.FromString(stuck_row().state)
    moved.revision += 1
    moved.repairs.add(act=RepairSaga.MARK_UNDONE, task="bill", who="carla", revision=moved.revision)
    after = replace(row, revision=row.revision + 1, last_id=id_of(77), state=moved.SerializeToString())
    async with stuck.browsing() as browser:
        form = await offered(browser, PAGE, "retry")
        async with stuck.writing() as store:
            await store.commit([Transition(actor=after, expected=Expected(row.revision, row.last_id))])
        refused = await sent(browser, form, reason="x")
        assert "Refused it is at revision" in SeenPage(refused.text).text
        assert "carla did mark-undone bill" in refused.text
        assert not fields_of(refused.text), "nothing can be confirmed"


async def test_an_edited_state_comes_as_it_was_typed(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        form = await offered(browser, PAGE, "retry", nth=1)
        data = str(fields_of(form.text)["data"])
        assert '"charge_id": "CH-1"' in data
        edited = data.replace("CH-1", "CH-2 <b>&amp;\u202e")
        wrong = await sent(browser, form, reason="x", data='{"none": 1}')
        assert "Refused" in wrong.text and "the edited data is no shop.OrderProcessState" in SeenPage(wrong.text).text
        await sent(browser, await sent(browser, form, reason="x", data=edited.replace("\n", "\r\n")))
    (mail,) = await posted(stuck)
    assert RepairSaga.FromString(decode(mail.envelope).body).state_json == edited


async def test_a_saga_with_any_printable_key_can_be_acted_on(place: PageStore) -> None:
    keys = [*(key for key in HOSTILE if not set("\x00\x1b\n\r\t") & set(key)), "a" * 300]
    async with place.writing() as store:
        await fill(store, *(stuck_row(key, number) for number, key in enumerate(keys)))
    async with place.browsing() as browser:
        for key in keys:
            form = await offered(browser, actor_link("order-process", key), "abandon")
            shown = await sent(browser, form, reason="a test")
            assert "If you confirm: ends as it is" in SeenPage(shown.text).text, key
            assert fields_of(shown.text)["saga"] == f"order-process/{key}"


async def test_of_a_key_that_no_form_can_send_the_page_says_so(place: PageStore) -> None:
    async with place.writing() as store:
        await fill(store, saga("two\nlines", status=SAGA.STUCK))
    async with place.browsing() as browser:
        seen = SeenPage((await browser.get(actor_link("order-process", "two\nlines"))).text)
        assert "its name has characters that no form can send" in seen.text
        assert not [where for _, where in seen.all_links if where.startswith("/act?")]


async def test_a_timer_of_a_service_is_moved_by_the_page_of_its_actor(place: PageStore) -> None:
    timers = durable_pb2.Timers(timers=[durable_pb2.Timer(name="remind", due_at_s=9e9, conversation=TALK)])
    async with place.writing() as store:
        await fill(store, actor("sales", state=order(), timers=timers))
    async with place.browsing() as browser:
        form = await offered(browser, "/actors/sales/ORD-1", "move-timer")
        for text, said in (
            ("soon", "is no time to fire at"),
            ("2027-01-31T18:00", "has no time zone"),
            ("+x", "is no time"),
        ):
            refused = await sent(browser, form, reason="x", when=text)
            assert refused.status_code == 400 and said in SeenPage(refused.text).text
        assert "Refused" in (await sent(browser, form, reason="x", when="+nan")).text
        shown = await sent(browser, form, reason="x", when="2027-01-31T18:00Z")
        assert "remind at 2027-01-31 18:00:00.000 UTC" in SeenPage(shown.text).text
        answer = await sent(browser, shown)
        assert "Not done yet" in (await browser.get(answer.headers["location"])).text


FORGED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"seal": "0" * 64}, 403, "this form was not drawn so"),
    ({"seal": "é"}, 403, "this form was not drawn so"),
    ({"seal": ""}, 403, "this form was not drawn so"),
    ({"expect": "1"}, 403, "this form was not drawn so"),
    ({"act": "abandon"}, 403, "this form was not drawn so"),
    ({"saga": "order-process/ORD-2"}, 403, "this form was not drawn so"),
    ({"task": "bill"}, 403, "this form was not drawn so"),
    ({"step": "confirm"}, 403, "this form was not drawn so"),
    ({"step": ""}, 400, "neither that the act is to be previewed"),
    ({"reason": ""}, 400, "say who does it, and why"),
    ({"reason": "  "}, 400, "say who does it, and why"),
    ({"who": ""}, 400, "say who does it, and why"),
    ({"reason": "x" * 2_001}, 400, "reason has 2,001 characters"),
    ({"who": "x" * 201}, 400, "who has 201 characters"),
    ({"reason": "a\x1b[31mb"}, 400, "the control character"),
    ({"reason": "a\x00b"}, 400, "the control character"),
    ({"reason": "two\nlines"}, 400, "the control character"),
    ({"shell": "rm"}, 400, "this form has no field"),
    ({"reason": ["x", "y"]}, 400, "came twice"),
    ({"data": "x" * BODY_BYTES_MAX}, 413, "the form has more than"),
)


async def test_a_form_that_is_forged_or_badly_filled_in_is_refused(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        form = await offered(browser, PAGE, "retry")
        for said, status, words in FORGED:
            answer = await sent(browser, form, **{"reason": "x", **said})
            text = SeenPage(answer.text).text
            assert answer.status_code == status and words in text, (list(said), answer.status_code, text)
    assert not await posted(stuck)


async def test_a_form_of_an_earlier_process_is_refused(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        form, shown = await offered(browser, PAGE, "retry"), await previewed(browser, PAGE, "retry")
    async with stuck.browsing() as restarted:
        for page in (form, shown):
            answer = await sent(restarted, page, reason="the bank was called")
            assert answer.status_code == 403 and "It is older than that process" in answer.text
    assert not await posted(stuck)


async def test_what_was_previewed_cannot_be_changed_on_the_way(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        shown = await previewed(browser, PAGE, "retry")
        for change in ({"reason": "another"}, {"who": "eve"}, {"act": "abandon"}, {"expect": "99"}, {"edit": "yes"}):
            assert (await sent(browser, shown, **change)).status_code == 403
    assert not await posted(stuck)


NO_FORMS = (
    (b"{}", "application/json", "a form of the page comes as"),
    (b"saga=%FF", "application/x-www-form-urlencoded", "this is no form of the page"),
    (b"saga=\xff", "application/x-www-form-urlencoded", "this is no form of the page"),
    (b"saga", "application/x-www-form-urlencoded", "this is no form of the page"),
    (b"&".join([b"reason=x"] * 20_001), "application/x-www-form-urlencoded", "this is no form of the page"),
)


async def test_a_body_that_is_no_form_is_refused(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        for body, type_, said in NO_FORMS:
            answer = await browser.post("/do/act", content=body, headers={"content-type": type_})
            assert answer.status_code == 400 and said in SeenPage(answer.text).text, body[:20]
        assert (await browser.post("/do/nothing", data={"a": "b"})).status_code == 404
        assert (await browser.get("/do/act")).status_code == 404


NO_ACTS = (
    ("act=retry&saga=order-process/ORD-1", 400),
    ("act=retry&saga=order-process/ORD-1&expect=-1", 400),
    ("act=retry&saga=order-process/ORD-1&expect=99999999999999999999999", 400),
    ("act=none&saga=order-process/ORD-1&expect=1", 400),
    ("act=shrug&saga=order-process/ORD-1&expect=1", 400),
    ("act=retry&saga=nothing&expect=1", 400),
    ("act=retry&saga=order-process/NONE&expect=1&edit=yes", 404),
)


async def test_an_address_that_is_no_act_has_no_form(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        for query, status in NO_ACTS:
            assert (await browser.get(f"/act?{query}")).status_code == status, query


async def test_what_no_act_is_told_of_is_left_out(stuck: PageStore) -> None:
    async with stuck.browsing() as browser:
        plain = SeenPage((await browser.get(PAGE)).text).text
        for told in ("", "x", "00.11", f"{'0' * 32}.{'1' * 32}", f"{'0' * 32}.{'zz' * 16}"):
            assert SeenPage((await browser.get(f"{PAGE}?told={told}")).text).text == plain, told
