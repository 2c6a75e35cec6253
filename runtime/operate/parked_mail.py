"""A message that was given up on, as operators see it: to whom, of which type, from whom, and by what error."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.envelope import Envelope, decode
from runtime.errors import InvalidMessage
from runtime.store.parked import ParkedPlace
from runtime.store.records import MailRow

__all__ = ["ParkedMail"]

_CLASS_CHARS_MAX = 80
_NAMED = re.compile(r"[A-Za-z_][\w.]*(?=:)")
_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")


@dataclass(frozen=True, slots=True)
class ParkedMail:
    """A parked message. `envelope` is None when its bytes can't be read."""

    row: MailRow
    envelope: Envelope | None

    @classmethod
    def of(cls, row: MailRow) -> ParkedMail:
        try:
            return cls(row, decode(row.envelope))
        except InvalidMessage:
            return cls(row, None)

    @property
    def type(self) -> str:
        return self.envelope.type if self.envelope else ""

    @property
    def sender(self) -> str:
        return self.envelope.sender if self.envelope else ""

    @property
    def place(self) -> ParkedPlace:
        return ParkedPlace.of(self.row)

    @property
    def error(self) -> str:
        """In one line, without the stack."""
        return self.row.parked.partition("\n")[0]

    @property
    def error_class(self) -> str:
        """What letters that one cause has parked have in common: a name like ValueError, or a text without numbers."""
        named = _NAMED.match(self.error)
        return named.group() if named else _OWN.sub("…", self.error)[:_CLASS_CHARS_MAX]
