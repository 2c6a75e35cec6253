"""The form of one act: what was settled when the operator looked, and what he still has to say."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runtime.envelope import parse_address
from runtime.errors import InvalidMessage
from runtime.observe.plain import as_plain
from runtime.operate.dead_letters import NotFound
from runtime.operate.lookup import accounts
from runtime.page.acts.drafted import LOOKED_AT, act_named, draft
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, actor_link
from runtime.page.screen import Screen
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["FORM", "asking", "form_of", "settled"]

FORM = "act form"
"""What the seal of this form is for."""

_EDITED_CHARS_MAX = 500_000


async def asking(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises FormRefused on a page that only reads, InvalidMessage for what is no act, NotFound, and StoreError."""
    desk.must_act()
    fields = settled(target.query)
    draft(fields)
    data = await _state(desk, fields["saga"]) if fields["edit"] else ""
    return form_of(desk, {**fields, "data": data})


def settled(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields.get(name, "") for name in LOOKED_AT}


def form_of(desk: PageDesk, fields: Mapping[str, str], trouble: str = "") -> Screen:
    """With what was said before, and what is wrong with it."""
    acting, looked_at = desk.must_act(), settled(fields)
    saga, act = looked_at["saga"], act_named(looked_at["act"])
    values = {
        "settled": looked_at,
        "seal": acting.seal.of(FORM, looked_at),
        "who": fields.get("who", acting.who),
        "is_known": acting.operator is not None,
        "reason": fields.get("reason", ""),
        "data": fields.get("data", ""),
        "when": fields.get("when", "now"),
        "asks_when": act == RepairSaga.MOVE_TIMER,
        "trouble": trouble,
        "back": actor_link(*parse_address(saga)),
    }
    what = looked_at["task"] or looked_at["timer"]
    title = f"{looked_at['act']} {what} of {saga}" if what else f"{looked_at['act']} {saga}"
    return Screen("act", title, still=("form",), values=values, status=400 if trouble else 200)


async def _state(desk: PageDesk, saga: str) -> str:
    """The business state as it can be edited."""
    kind, key = parse_address(saga)
    async with desk.view() as store:
        found = [one for one in await accounts(store, desk.contracts, key, kind=kind) if one.key == key]
    if not found or found[0].state is None:
        raise NotFound(f"{saga} has no state that can be edited here")
    text = json.dumps(as_plain(found[0].state), indent=2, ensure_ascii=False)
    if len(text) > _EDITED_CHARS_MAX:
        raise InvalidMessage(
            f"the state has {len(text):,} characters, too many to edit in a browser: write it to a file, and use "
            "amends admin repair retry --data FILE"
        )
    return text
