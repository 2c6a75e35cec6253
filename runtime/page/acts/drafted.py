"""The act that an address or a form says, as the message that a saga takes. Nothing is read or sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runtime.envelope import Address, parse_address
from runtime.errors import InvalidMessage
from runtime.page.forms import FormShape
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["ACT_FORM", "LOOKED_AT", "Drafted", "act_named", "draft"]

LOOKED_AT = ("saga", "act", "task", "timer", "digest", "expect", "edit")
"""Fields that were settled when the operator looked: they are in the address of the form, and sealed in it."""

ACT_FORM = FormShape(
    names=frozenset((*LOOKED_AT, "who", "reason", "data", "when", "step", "seal")), lines=frozenset(("data",))
)
_NUMBER_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Drafted:
    saga: Address
    act: RepairSaga


def act_named(name: str) -> RepairSaga.Act.ValueType:
    """By the name that the command line has for it. Raises InvalidMessage."""
    try:
        found = RepairSaga.Act.Value(name.upper().replace("-", "_"))
    except ValueError:
        found = RepairSaga.NONE
    if found == RepairSaga.NONE:
        raise InvalidMessage(f"there is no act {name[:100]!r}; choose one that the page of the saga offers")
    return found


def draft(fields: Mapping[str, str]) -> Drafted:
    """Raises InvalidMessage, which names what is wrong with which field."""
    expected = fields.get("expect", "")
    if not (expected.isascii() and expected.isdigit() and int(expected[:20]) <= _NUMBER_MAX):
        raise InvalidMessage("the form does not say at which revision the saga was looked at: open it from its page")
    act = RepairSaga(
        act=act_named(fields.get("act", "")),
        task=fields.get("task", ""),
        timer=fields.get("timer", ""),
        digest=fields.get("digest", ""),
        who=fields.get("who", "").strip(),
        reason=fields.get("reason", "").strip(),
        expected_revision=int(expected),
    )
    if fields.get("edit"):
        act.state_json = fields.get("data", "")
    if act.act == RepairSaga.MOVE_TIMER:
        _put_when(act, fields.get("when", "").strip())
    return Drafted(parse_address(fields.get("saga", "")), act)


def _put_when(act: RepairSaga, text: str) -> None:
    """now, +90 for so many seconds from the act on, or an instant with its time zone."""
    try:
        if text in ("", "now"):
            act.in_s = 0.0
        elif text.startswith("+"):
            act.in_s = float(text[1:])
        else:
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                raise InvalidMessage(f"{text!r} has no time zone; for that of Greenwich: {text}Z")
            act.due_at_s = instant.timestamp()
    except (ValueError, OverflowError):
        raise InvalidMessage(
            f"{text[:100]!r} is no time to fire at: write now, +90 for 90 seconds from now, or 2027-01-31T18:00Z"
        ) from None
