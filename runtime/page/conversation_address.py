"""Which conversation an address names, and which of its messages are wanted."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.errors import InvalidMessage
from runtime.operate.conversation_page import WantedMessages
from runtime.operate.dead_letters import NotFound
from runtime.page.links import PageAddress

__all__ = ["FIELDS", "conversation_id", "id_of", "wanted_messages"]

FIELDS = ("actor", "type", "error", "only", "order")
"""Of the filter, as an address has them."""

_ONLY, _ORDERS = ("", "errors", "open"), ("", "newest")
_DIGITS = 32


def wanted_messages(query: Mapping[str, str]) -> WantedMessages:
    """The filter that an address says. Raises InvalidMessage."""
    only, order = query.get("only", ""), query.get("order", "")
    for name, value, known in (("only", only, _ONLY), ("order", order, _ORDERS)):
        if value not in known:
            raise InvalidMessage(f"{name}={value!r} means nothing here; there is {' and '.join(filter(None, known))}")
    return WantedMessages(
        actor=query.get("actor", ""),
        type=query.get("type", ""),
        error=query.get("error", ""),
        only_errors=only == "errors",
        only_open=only == "open",
        newest_first=order == "newest",
    )


def conversation_id(target: PageAddress) -> bytes:
    """The conversation that an address names. Raises NotFound."""
    text = target.path[1] if len(target.path) > 1 else ""
    id = id_of(text)
    if not id:
        raise NotFound(f"{text!r} is no conversation: one is named by {_DIGITS} hexadecimal digits")
    return id


def id_of(text: str) -> bytes:
    """Of a conversation, or of a message; empty for what is none."""
    try:
        return bytes.fromhex(text) if len(text) == _DIGITS else b""
    except ValueError:
        return b""
