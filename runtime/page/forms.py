"""A form as a browser has sent it: its fields by name. What is too large, unknown or said twice is refused whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from runtime.errors import AmendsError, InvalidMessage, MessageTooLarge

__all__ = ["BODY_BYTES_MAX", "FormRefused", "FormShape", "read_form"]

BODY_BYTES_MAX = 2 * 1024 * 1024
"""Room for the ids of some thousand messages, or for an edited state."""

_TYPE = "application/x-www-form-urlencoded"
_FIELDS_MAX = 20_000
_LINE_BREAKS = "\n\t"


class FormRefused(AmendsError):
    """A form that this process has not drawn so, or an act on a page that only reads."""


@dataclass(frozen=True, slots=True)
class FormShape:
    """The fields that a form may have: `many` may come several times, and only `lines` may have line breaks."""

    names: frozenset[str]
    many: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()

    def fields(self, pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        """By name; of what came several times the values stand in lines. Raises InvalidMessage."""
        found: dict[str, str] = {}
        for name, value in pairs:
            if name not in self.names:
                raise InvalidMessage(f"this form has no field {name[:100]!r}: fill in the form that the page shows")
            if name in found and name not in self.many:
                raise InvalidMessage(f"the field {name!r} came twice: send the form once, as the page shows it")
            text = value.replace("\r\n", "\n")
            self._check(name, text)
            found[name] = f"{found[name]}\n{text}" if name in found else text
        return found

    def _check(self, name: str, text: str) -> None:
        allowed = _LINE_BREAKS if name in self.lines else ""
        for char in text:
            if unicodedata.category(char) == "Cc" and char not in allowed:
                raise InvalidMessage(f"{name} has the control character {char!r}, which no store keeps: leave it out")


async def read_form(request: Request, shape: FormShape) -> Mapping[str, str]:
    """Raises MessageTooLarge for a body that is too large, of which no more is read, and InvalidMessage."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise InvalidMessage(f"a form of the page comes as {_TYPE}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise MessageTooLarge(f"the form has more than {BODY_BYTES_MAX:,} bytes: select less at once")
    try:
        pairs = parse_qsl(bytes(body).decode("ascii"), True, True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise InvalidMessage(f"this is no form of the page: {error}") from error
    return shape.fields(pairs)
