"""From the headers of a call to the operator who makes it: by a token, or by the name that a proxy gives.

    authorization: Bearer TOKEN            ──▶ the operator whose digest the file has
    x-forwarded-user: ann, from loopback   ──▶ the operator of this name, if the proxy's header was declared

A proxy's header counts only from the loopback, where nobody but the proxy is to be. With both, the token counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runtime.durations import shown
from runtime.errors import AmendsError, InvalidMessage, InvalidSettings
from runtime.gateway.operators.operator import Operator, digest_of
from runtime.gateway.operators.operators_file import OperatorsFile
from runtime.ports import Fact, Ports

__all__ = ["Authenticator", "CannotTell", "NotKnown", "OperatorsUnreadable", "acts_as"]

_HEADER = re.compile("[a-z0-9][a-z0-9_-]*")
_BEARER = "bearer "


class NotKnown(AmendsError):
    """Nobody has said who calls, or nobody here knows him."""


class CannotTell(AmendsError):
    """Who calls cannot be checked now. Why not is for the log, and not for a caller whom nobody knows."""


@dataclass(frozen=True, slots=True)
class OperatorsUnreadable(Fact):
    """The file of operators cannot be used: nobody is let in until it can."""

    level: ClassVar[str] = "error"

    error: str


class Authenticator:
    """`proxy_header`: the header by which a proxy names who calls, in small letters; empty if there is no proxy."""

    def __init__(self, path: Path, ports: Ports, *, proxy_header: str = "") -> None:
        """Raises InvalidSettings for a file that cannot be used, and for what is no header."""
        self._file = OperatorsFile(path)
        self._ports = ports
        self._proxy_header = proxy_header.lower()
        if proxy_header and (not _HEADER.fullmatch(self._proxy_header) or self._proxy_header == "authorization"):
            raise InvalidSettings(f"{shown(proxy_header)} is no header by which a proxy could name who calls")

    def of(self, header: Callable[[str], str], *, from_loopback: bool) -> Operator:
        """`header` gives the header of a name in small letters, empty if there is none.

        Raises NotKnown, and CannotTell while the file of operators cannot be used.
        """
        said = header("authorization")
        if said[: len(_BEARER)].lower() == _BEARER:
            return self.of_token(said[len(_BEARER) :].strip())
        if self._proxy_header and from_loopback and (name := header(self._proxy_header)):
            found = self._found(self._file.by_name, name)
            if found is None:
                raise NotKnown(f"{shown(name)}, as the proxy says, is not among the operators")
            return found
        raise NotKnown(
            "say who calls, by the header `authorization: Bearer TOKEN`; `amends admin token NAME` makes a token, and "
            "the entry of the file of operators that lets it in"
        )

    def of_token(self, token: str) -> Operator:
        """Raises NotKnown, and CannotTell while the file of operators cannot be used."""
        return self.of_digest(digest_of(token))

    def of_digest(self, digest: str) -> Operator:
        """Of a token that was checked before. Raises NotKnown, and CannotTell as above."""
        found = self._found(self._file.by_digest, digest)
        if found is None:
            raise NotKnown("no operator has this token; it may have been taken back")
        return found

    def _found(self, look: Callable[[str], Operator | None], wanted: str) -> Operator | None:
        try:
            return look(wanted)
        except InvalidSettings as error:
            self._ports.report(OperatorsUnreadable(str(error)))
            raise CannotTell("who calls cannot be checked now; the log of this server says why") from error


def acts_as(operator: Operator | None, who: str) -> str:
    """In whose name an act is done: the operator's, where one is known. Raises InvalidMessage for somebody else's."""
    if operator is None:
        return who
    if who not in ("", operator.name):
        raise InvalidMessage(
            f"{operator.name} cannot act in the name of {shown(who)}: leave `who` out, or say {operator.name}"
        )
    return operator.name
