"""What an author writes a wait for an event with: the saga goes on when somebody outside says that it happened.

paid = Await(PaymentReceived, key=lambda state: state.payment_id, within=days(3), on_event=note_payer)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durations import Span
from runtime.saga.flow import Part
from runtime.saga.key import Key

__all__ = ["DISCARD", "FAULT", "GO_ON", "KEEP", "TURN_BACK", "Await"]

TURN_BACK, GO_ON = "turn back", "go on"
KEEP, DISCARD, FAULT = "keep", "discard", "fault"
_KEEP_FOR_S = 7 * 86_400.0


@dataclass(frozen=True, eq=False)
class Await(Part):
    """A wait for one event that no command of the saga is answered with. It may have come before the saga waits.

    event       the type of the event, whoever says it, in whichever conversation
    key         (state) -> str: which of these events is meant. One instance waits for one key; a second is refused.
                Or a Key of the class, which the instance holds before it waits, and after
    by          the dotted text field of the event that holds the key; by default the event's own key
    within      how long the saga waits
    on_event    (state, event) -> None: copies facts of the event into the state
    on_timeout  what the saga does when nothing came: "turn back", or "go on" as if there was nothing to wait for
    early       what becomes of an event that nobody waits for yet: "keep" it for a while, "discard" it with a note in
                the history, or have it "fault": it is a dead letter then, which an operator may replay
    keep        how many events of one key are kept that come before anybody waits; one more becomes a dead letter
    keep_for    for how long they are kept
    outside     no service of the catalogue says the event: a client does
    """

    event: type[Message]
    key: Callable[[Any], str] | Key
    by: str = ""
    within: Span | None = None
    on_event: Callable[[Any, Any], None] | tuple[Callable[[Any, Any], None], ...] = ()
    on_timeout: str = TURN_BACK
    early: str = KEEP
    keep: int = 1
    keep_for: Span = _KEEP_FOR_S
    outside: bool = False
