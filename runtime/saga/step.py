"""What an author writes a step of a saga with.

seat = Step(do=reserve_seat, done=SeatReserved, refused=SoldOut, undo=release_seat, undone=SeatReleased,
            timeout=seconds(30))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from runtime.backoff import Backoff
from runtime.durations import Span, in_seconds
from runtime.former_names import formerly
from runtime.saga.flow import Part
from runtime.saga.probe import Probe

__all__ = ["Budget", "MessageTypes", "Step"]

MessageTypes = type[Message] | tuple[type[Message], ...]
"""One message type, or several of which any will do."""


@formerly(backoff_s="backoff", backoff_max_s="backoff_max")
@dataclass(frozen=True, slots=True)
class Budget:
    """How often a saga asks for what it can no longer do without: an undo, or a step past the pivot.

    The participant's own retries come first; this begins where they gave up, or stayed silent for the step's timeout.
    The n-th pause after a fault is backoff x 2^(n-1), and no longer than backoff_max. With the defaults that is
    10 commands within about 13 minutes, and then the saga is stuck.
    """

    asks_max: int = 10
    backoff: Span = 1.0
    backoff_max: Span = 300.0

    def pause_s(self, asks: int) -> float:
        """How long to wait after the command number `asks` (from 1) failed."""
        return Backoff(in_seconds(self.backoff), in_seconds(self.backoff_max), jitter=0.0).pause_s(asks)


@formerly(keep="on_answer")
@dataclass(frozen=True, eq=False)
class Step(Part):
    """One command of a saga, what can come of it, and the command that takes it back.

    do       (state) -> command; the return annotation says which. What it does to the state is lost.
    done     the answers that mean it happened
    refused  the answers that mean it did not, so that nothing has to be undone: the saga turns back
    ignores  other answers of the same handler, which say nothing about the step
    undo     (state) or (state, reason) -> command to the actor that `do` went to, or None when this instance needs
             none; `reason` says in words why the saga turned back. The state is the one of the instant at which the
             step was done, or, if that is not known, of its last command
    undone   the answers that confirm the undo. "Nothing to undo", which the runtime answers, does too
    no_undo  why a step before the pivot needs no undo, in words: it changes nothing, say. Demanded where there is none,
             since what a step has done stays when the saga turns back
    timeout  how long until no answer means "maybe done". Before the pivot the saga then turns back and undoes the step;
             past it the step is asked again, with a fresh command and twice the patience, so its handler has to be
             idempotent by business state
    pivot    once it is confirmed as done there is no way back. It may have an undo, for while that is not known;
             without one, a pivot that stays silent is asked again like a step past it
    past_pivot  of a step past the pivot: what happens when its budget is spent. "stuck": the saga rests until an
             operator, or a late answer, helps. "retry": it is asked on for ever, with pauses that grow to an hour, and
             raises an alarm each time that a whole budget is spent. "skip": it is left out, and the saga goes on
             without it, with the error in its record
    probe    Probe(): before silence or a fault makes the step fail, the runtime of its actor is asked whether it has
             happened. If it has, it is done and nothing is undone
    working  the answers that mean "accepted, not finished yet": the step is asked again after `every`, with a fresh
             command, so its handler has to be idempotent by business state. No budget counts what was answered so, and
             each ask has the step's timeout: silence and faults mean what they mean of any ask
    every    the pace of that
    at_most  from the first such answer on; past it the step fails as by silence, or is stuck where there is no way back
    undo_working  the answers of the undo that mean the same; it is asked again at the same pace, within the same limit
    on_answer  (state, answer) -> None, one or several: copies facts of an answer into the state; the annotation of
             the second parameter says of which. It changes the state in place; what it returns is refused
    """

    do: Callable[..., Message]
    done: MessageTypes
    refused: MessageTypes = ()
    ignores: MessageTypes = ()
    undo: Callable[..., Message | None] | None = None
    undone: MessageTypes = ()
    no_undo: str = ""
    timeout: Span | None = None
    pivot: bool = False
    on_answer: Callable[[Any, Any], None] | tuple[Callable[[Any, Any], None], ...] = ()
    budget: Budget = field(default_factory=Budget)
    working: MessageTypes = ()
    every: Span | None = None
    at_most: Span | None = None
    undo_working: MessageTypes = ()
    past_pivot: str = "stuck"
    probe: Probe | None = None
