"""A conversation as a file: a drawing, text for one, JSON, or a test that replays a saga of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from runtime.envelope import parse_address
from runtime.observe.conversation import Conversation, by_cause
from runtime.observe.sequence import as_mermaid, as_object
from runtime.observe.sequence_picture import as_svg
from runtime.operate.as_test import as_test
from runtime.operate.conversation_page import MessagePage, conversation_page
from runtime.operate.dead_letters import NotFound
from runtime.operate.import_name import import_name
from runtime.page.conversation_address import conversation_id, wanted_messages
from runtime.page.desk import PageDesk
from runtime.page.history import past_of
from runtime.page.links import PageAddress, conversation_link, link
from runtime.page.screen import Download, Screen

__all__ = ["export", "exports_of"]

_MESSAGES_MAX = 2_000
"""In one file: to make more would keep a node that serves the page from its work."""


def exports_of(
    desk: PageDesk, id: bytes, addresses: Sequence[str], filter_: Mapping[str, str]
) -> list[tuple[str, str]]:
    """What a conversation can be saved as: names and addresses. `addresses` are of actors that take part."""
    here, known = conversation_link(id), desk.known.sagas if desk.known is not None else {}
    found = [(name, link(f"{here}/{form}", filter_)) for form, (name, _, _) in _FORMS.items()]
    sagas = [one for one in addresses if one.partition("/")[0] in known]
    return [*found, *((f"a test of {one}", link(f"{here}/test", {"saga": one})) for one in sagas)]


async def export(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for a form that is none, or a test that cannot be made, InvalidMessage, and StoreError."""
    id, form = conversation_id(target), target.path[2]
    if form == "test":
        return await _test(desk, target.query.get("saga", ""))
    if form not in _FORMS:
        raise NotFound(f"a conversation is saved as {', '.join(_FORMS)} or test, and not as {form!r}")
    wanted = wanted_messages(target.query)
    async with desk.view() as store:
        page = await conversation_page(store, id, wanted, limit=_MESSAGES_MAX, after=target.query.get("after", ""))
    if not page.messages:
        raise NotFound(f"the store has no message of the conversation {id.hex()} that fits")
    _, ending, write = _FORMS[form]
    return _saved(f"conversation-{id.hex()}.{ending}", write(_whole(id, page), _left_out(page)))


async def _test(desk: PageDesk, address: str) -> Screen:
    kind, key = parse_address(address)
    past = await past_of(desk, (kind, key))
    behaviour, name = None, ""
    if desk.known is not None and past.row.kind in desk.known.sagas:
        behaviour, name = desk.known.behaviours[past.row.kind], import_name(desk.known.sagas[past.row.kind], ())
    text = as_test(past, behaviour, name)
    named = "".join(char if char.isalnum() and char.isascii() else "_" for char in f"{kind}_{key}")[:80]
    return _saved(f"test_{named}.py", text)


def _whole(id: bytes, page: MessagePage) -> Conversation:
    """With what was sent into other conversations, each behind its cause."""
    found = {message.id: message for message in page.messages}
    for away in page.sent_away.values():
        found.update((message.id, message) for message in away)
    return Conversation(id, tuple(by_cause(found)))


def _left_out(page: MessagePage) -> str:
    """Empty where the file has all messages."""
    left_out = page.size.total - len(page.messages)
    return f"{len(page.messages):,} of the {page.size.total:,} messages of this conversation" if left_out > 0 else ""


def _mermaid(conversation: Conversation, left_out: str) -> str:
    text = as_mermaid(conversation)
    return f"%% {left_out}\n{text}" if left_out else text


def _json(conversation: Conversation, left_out: str) -> str:
    told = as_object(conversation) | ({"left_out": left_out} if left_out else {})
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


_FORMS: Mapping[str, tuple[str, str, Callable[[Conversation, str], str]]] = MappingProxyType(
    {
        "svg": ("a picture (SVG)", "svg", as_svg),
        "mermaid": ("Mermaid", "mmd", _mermaid),
        "json": ("JSON", "json", _json),
    }
)
_TYPES = {"svg": "image/svg+xml", "json": "application/json", "mmd": "text/plain", "py": "text/x-python"}


def _saved(name: str, text: str) -> Screen:
    """A lone half of a character, as an error may have it, is spelt out: no file of UTF-8 has one."""
    data = text.encode("utf-8", "backslashreplace")
    return Screen("export", name, download=Download(name, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8", data))
