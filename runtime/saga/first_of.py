"""What an author writes alternatives with: the first that can be done is, and the others are not.

pay = FirstOf(card=Step(do=charge_card, ...), account=Step(do=debit_account, ...))
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.saga.child import Child
from runtime.saga.flow import Part
from runtime.saga.step import Step

__all__ = ["FirstOf"]


class FirstOf(Part):
    """Steps that are asked in order until one is done. If one is refused, the next is asked.

    One that fails or stays silent may have happened, so it is undone before the next is asked. When all are refused,
    so is the whole, and the saga turns back.
    Past the pivot there is no way back: the last alternative cannot be refused, has no undo, and is asked until it is
    done. Its `past_pivot` says what happens when its budget is spent.
    """

    __slots__ = ("alternatives",)

    def __init__(self, **alternatives: Step | Child) -> None:
        self.alternatives: Mapping[str, Step | Child] = alternatives
