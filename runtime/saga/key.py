"""What an author writes a key with: an identifier that the saga learns, and by which events find it from then on.

payment = Key(of=lambda state: state.payment_id)
paid    = Await(PaymentReceived, key=payment, within=days(3))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["STUCK", "TURN_BACK", "Key"]

TURN_BACK, STUCK = "turn back", "stuck"


@dataclass(frozen=True, eq=False)
class Key:
    """A key of the instance beside its own; a saga may have several. Events come by it: Await(..., key=payment).

    of     (state) -> str: the key; empty as long as the saga has not learned it. It is looked at after each turn. A new
           value is registered, and one that is gone is given up, in the commit of that turn. All are given up at the
           end of the saga
    taken  what the saga does when another instance holds the key: "turn back"; or be "stuck", until an operator has it
           tried again. Past the pivot it is stuck in any case
    """

    of: Callable[[Any], str]
    taken: str = TURN_BACK
