"""Addresses of the page: a key may hold any character, and each key has an address that leads back to it.

trip/7         /sagas/trip/7
trip/a/../b    /sagas/trip?key=a/../b     a browser would take the dots out of a path
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from runtime.envelope import parse_address
from runtime.errors import InvalidMessage

__all__ = ["PageAddress", "actor_link", "address_link", "conversation_link", "link", "read_address"]

_FIELDS_MAX = 50
_DOTS = (".", "..", "")


@dataclass(frozen=True, slots=True)
class PageAddress:
    """What somebody looks at: the parts of the path, and the fields of the query; one that is repeated has commas."""

    path: tuple[str, ...]
    query: Mapping[str, str]

    def integer(self, name: str) -> int:
        """The field as a number from 0 on; 0 if it is not there. Raises InvalidMessage."""
        text = self.query.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise InvalidMessage(f"{name}={text!r} is no number from 0 to 999999999")
        return int(text)


def read_address(raw: str) -> PageAddress:
    """What an address means, as a browser sends it. Raises InvalidMessage for one that is not UTF-8, or too long."""
    path, _, query = raw.partition("?")
    try:
        parts = tuple(unquote(part, errors="strict") for part in path.removeprefix("/").split("/", 2))
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise InvalidMessage(f"this address is none of the page's: {error}") from error
    query_of: dict[str, str] = {}
    for name, value in fields:
        query_of[name] = f"{query_of[name]},{value}" if name in query_of else value
    return PageAddress(parts, query_of)


def link(path: str, fields: Mapping[str, Any] = MappingProxyType({})) -> str:
    """A path with these fields, texts and numbers; those that are empty or 0 are left out."""
    pairs = [(name, value) for name, value in fields.items() if value]
    query = urlencode(pairs, errors="surrogatepass", quote_via=quote)
    return f"{path}?{query}" if query else path


def actor_link(kind: str, key: str, *, is_saga: bool = True) -> str:
    room = f"/{'sagas' if is_saga else 'actors'}/{_quoted(kind)}"
    if any(part in _DOTS for part in key.split("/")):
        return link(room, {"key": key}) if key else f"{room}/"
    return f"{room}/{_quoted(key)}"


def address_link(address: str) -> str:
    """Of an actor that may be a saga or not; empty for what is no address, such as that of a client."""
    try:
        return actor_link(*parse_address(address), is_saga=False)
    except InvalidMessage:
        return ""


def conversation_link(id: bytes) -> str:
    return f"/conversations/{id.hex()}"


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
