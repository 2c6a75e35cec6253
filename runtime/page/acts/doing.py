"""A form of an act that has come: first its preview, and once that is confirmed the act itself."""

from __future__ import annotations

import json
from collections.abc import Mapping

from google.protobuf.message import Message

from runtime.envelope import parse_address
from runtime.errors import InvalidMessage
from runtime.observe.plain import as_plain
from runtime.operate.repairs import check_said, look_ahead, post, wait_for
from runtime.page.acts.asking import FORM, form_of, settled
from runtime.page.acts.drafted import Drafted, draft
from runtime.page.acts.told import told_link
from runtime.page.desk import Acting, PageDesk
from runtime.page.forms import FormRefused
from runtime.page.links import actor_link
from runtime.page.screen import Screen
from runtime.saga.preview import Preview

__all__ = ["doing"]

_CONFIRM = "act confirmed"
_CONFIRMED = ("who", "reason", "data", "when")
_WAIT_S = 5.0  # for what comes of an act; after that its page tells it as soon as it is known
_SENT_MAX = 200
_MESSAGE_CHARS_MAX = 2_000


async def doing(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused for a form that this process has not drawn so, and as `look_ahead` and `post` do."""
    acting, step = desk.must_act(), fields.get("step", "")
    if step == "preview":
        return await _previewed(desk, acting, fields)
    if step == "confirm":
        return await _done(acting, fields)
    raise InvalidMessage("the form says neither that the act is to be previewed, nor that it is confirmed")


async def _previewed(desk: PageDesk, acting: Acting, fields: Mapping[str, str]) -> Screen:
    _check_seal(acting, fields, FORM, settled(fields))
    try:
        drafted = draft(fields)
        check_said(drafted.act)
    except InvalidMessage as error:
        return form_of(desk, fields, str(error))
    seen, unknown = await _foretold(desk, acting, drafted)
    said = _confirmed(fields)
    values = {
        "seen": seen,
        "unknown": unknown,
        "sent": [(one.to, one.message.DESCRIPTOR.name, _line(one.message)) for one in seen.sent[:_SENT_MAX]]
        if seen
        else [],
        "more_sent": max(0, len(seen.sent) - _SENT_MAX) if seen else 0,
        "fields": said,
        "seal": acting.seal.of(_CONFIRM, said),
        "back": actor_link(*drafted.saga),
    }
    return Screen("act", f"Preview: {said['act']} {said['saga']}", still=("preview",), values=values)


async def _foretold(desk: PageDesk, acting: Acting, drafted: Drafted) -> tuple[Preview | None, str]:
    """What would follow, or why this build cannot tell."""
    async with desk.view() as store:
        try:
            now_s = acting.clock.now_s()
            return await look_ahead(store, drafted.saga, drafted.act, acting.definitions, now_s), ""
        except InvalidMessage as error:
            return None, str(error)


async def _done(acting: Acting, fields: Mapping[str, str]) -> Screen:
    """The act is posted, and refused by the saga itself if that is no longer at the revision that was looked at."""
    said = _confirmed(fields)
    _check_seal(acting, fields, _CONFIRM, said)
    drafted = draft(said)
    async with acting.store() as store:
        posted = await post(store, drafted.saga, drafted.act, acting.clock.now_s())
        await wait_for(store, posted, acting.clock, _WAIT_S)
    return Screen("act", "Done", elsewhere=told_link(posted))


def _confirmed(fields: Mapping[str, str]) -> dict[str, str]:
    return {**settled(fields), **{name: fields.get(name, "") for name in _CONFIRMED}}


def _check_seal(acting: Acting, fields: Mapping[str, str], purpose: str, covered: Mapping[str, str]) -> None:
    if not acting.seal.fits(fields.get("seal", ""), purpose, covered):
        saga = fields.get("saga", "")
        where = f" of {saga}" if saga and parse_address(saga) else ""
        raise FormRefused(
            "this form was not drawn so by the process that serves the page now. It is older than that process, or "
            f"something has changed it. Nothing was done: open the page{where[:300]} again, and act from there"
        )


def _line(message: Message) -> str:
    text = json.dumps(as_plain(message), ensure_ascii=False, default=str)
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[:_MESSAGE_CHARS_MAX]}… ({len(text):,} characters)"
