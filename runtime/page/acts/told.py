"""What came of an act, on the page of its actor: done, refused and what has changed meanwhile, or not handled yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.operate.account import Account
from runtime.operate.dead_letters import NotFound
from runtime.operate.repairs import Posted, result_of
from runtime.page.acts.offer import not_offered, offers_for
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, actor_link
from runtime.page.screen import Screen
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.port import OperatorStore

__all__ = ["told_link", "with_acts"]

_ID_BYTES = 16
_TYPE = RepairSaga.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class _Told:
    tone: str  # class of the style sheet
    word: str
    text: str


def told_link(posted: Posted) -> str:
    """The page of the actor, on which stands what came of this act."""
    page = actor_link(*posted.saga)
    return f"{page}{'&' if '?' in page else '?'}told={posted.conversation.hex()}.{posted.id.hex()}"


async def with_acts(desk: PageDesk, target: PageAddress, screen: Screen) -> Screen:
    """The screen of an actor with what can be done about it, and what came of the act that the address names."""
    account = screen.values["account"]
    assert isinstance(account, Account), "the screen is one of an actor"
    acting = desk.acting
    offers = offers_for(account) if acting is not None else ()
    why_not = not_offered(account, offers, acting.definitions) if acting is not None else ()
    told = await _told(desk, account, target.query.get("told", ""))
    values = {**screen.values, "offers": offers, "not_offered": why_not, "acts": acting is not None, "told": told}
    first, *others = screen.live
    parts = (*(("told",) if told is not None else ()), first, "acts", *others)
    return replace(screen, live=parts, values=values)


async def _told(desk: PageDesk, account: Account, text: str) -> _Told | None:
    conversation, _, id = text.partition(".")
    try:
        posted = Posted((account.kind, account.key), bytes.fromhex(conversation), bytes.fromhex(id))
    except ValueError:
        return None
    if not text or {len(posted.conversation), len(posted.id)} != {_ID_BYTES}:
        return None
    async with desk.view() as store:
        return await _outcome(store, posted, account)


async def _outcome(store: OperatorStore, posted: Posted, account: Account) -> _Told | None:
    """None of a message that is no act, or is another actor's."""
    (handled,) = await store.handled([(posted.conversation, posted.id)])
    if handled is None:
        waits = await store.mail_of(posted.saga, account.shard, posted.id)
        text = f"no node has handled it yet. It waits in the mail of {account.address}"
        return None if waits is None else _Told("warn", "Not done yet", text)
    if (handled.kind, handled.key, handled.type) != (*posted.saga, _TYPE):
        return None
    try:
        result = await result_of(store, posted)
    except NotFound:
        return None
    if result is None:
        return None
    return _Told("bad", "Refused", result.refusal) if result.refusal else _Told("good", "Done", result.text)
