"""Pages of answers: how large one may be, and the token that says where the next one begins.

A token is made for one method and one query. It is no secret, and it is checked: a token that was cut, changed or made
for another query is refused, so that no listing silently begins elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from runtime.errors import InvalidMessage, MessageTooLarge

__all__ = ["ANSWER_BYTES_MAX", "behind", "checked", "cut", "page_size_of", "place_after", "place_in", "token_of"]

ANSWER_BYTES_MAX = 3 * 1024 * 1024
"""gRPC's clients take 4 MiB unless they are told otherwise."""

_SIZE, _SIZE_MAX = 100, 1000
_DIGEST_BYTES = 8
_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")
_Key = Callable[[_T], tuple[float | str, ...]]


def page_size_of(asked: int) -> int:
    """Raises InvalidMessage."""
    if not 0 <= asked <= _SIZE_MAX:
        raise InvalidMessage(f"page_size is {asked}: say a number from 1 to {_SIZE_MAX}, or none for {_SIZE}")
    return asked or _SIZE


def token_of(query: Message, place: str) -> str:
    """`query`: the request without what says which page is wanted."""
    text = place.encode("utf-8", "surrogatepass")
    return _encoded(_digest(query, text) + text)


def place_in(token: str, query: Message) -> str:
    """The place that `token_of` was given; empty of an empty token. Raises InvalidMessage for any other."""
    if not token:
        return ""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        digest, text = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if text and digest == _digest(query, text) and _encoded(raw) == token:
            return text.decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        pass
    raise InvalidMessage(
        "page_token is none that this method gave for this query: hand over next_page_token of the page before, with "
        "the same query, or begin again without a token"
    )


def behind(found: Sequence[_T], key: _Key[_T], place: str) -> Sequence[_T]:
    """Of a listing in the order of `key`, what comes after a place that `place_after` gave; all of it without one."""
    last = tuple(json.loads(place)) if place else ()
    return [one for one in found if key(one) > last]


def place_after(found: Sequence[_T], key: _Key[_T], told: int) -> str:
    """Where to go on when so many of these were told; empty if they were all."""
    return json.dumps(key(found[told - 1])) if told < len(found) else ""


def cut(found: Iterable[_M]) -> list[_M]:
    """As many of these as fit into one answer, and at least one if there is any."""
    taken, size = list[_M](), 0
    for one in found:
        size += one.ByteSize() + 8
        if taken and size > ANSWER_BYTES_MAX:
            break
        taken.append(one)
    return taken


def checked(answer: _M, instead: str) -> _M:
    """The answer. Raises MessageTooLarge, with what to do instead, when it is larger than an answer may be."""
    if (size := answer.ByteSize()) > ANSWER_BYTES_MAX + 64 * 1024:
        raise MessageTooLarge(f"the answer would have {size:,} bytes, and may have {ANSWER_BYTES_MAX:,}: {instead}")
    return answer


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _digest(query: Message, text: bytes) -> bytes:
    parts: Sequence[bytes] = (query.DESCRIPTOR.full_name.encode(), query.SerializeToString(deterministic=True), text)
    return hashlib.blake2b(b"\0".join(parts), digest_size=_DIGEST_BYTES).digest()
