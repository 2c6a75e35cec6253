"""I6 at each commit: an undo runs exactly if its do may have had an effect that no other undo has taken back.

Ledger ──the undo, its row of history, that of its do──▶ broken_undo ──▶ what is wrong

The guard judges before the commit, by the store and the turn. The rule judges after it, by what became of both.
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.durable.caused import came_of
from runtime.envelope import Envelope
from runtime.protos import durable_pb2
from runtime.store.records import HistoryRow, Outcome

__all__ = ["broken_undo", "has_taken_back"]


def broken_undo(undo: Envelope, row: HistoryRow, do: HistoryRow | None, ran_before: bytes = b"") -> str:
    """What is wrong; empty if nothing is. `row` says what became of the undo, `do` what became of its do.

    `ran_before` is the id of another undo of the same do that has run.
    """
    if row.outcome is Outcome.HANDLED:
        return f"ran, though {ran_before.hex()} had undone the same do" if ran_before else _ran(undo, do)
    if row.outcome is Outcome.UNDONE and not ran_before:
        return _answered_unrun(undo, do)
    return ""


def has_taken_back(undo: Envelope, row: HistoryRow) -> bool:
    """Whether this undo has run, and said nothing but what confirms it."""
    told = [answer.type for answer in _answers(row) if not undo.reply_to or answer.address in ("", undo.reply_to)]
    confirmed = not undo.undones or not told or any(type in undo.undones for type in told)
    return row.outcome is Outcome.HANDLED and confirmed


def _ran(undo: Envelope, do: HistoryRow | None) -> str:
    if do is None:
        return "ran, and nothing is known of its do"
    if do.outcome is Outcome.UNDONE and not undo.begun:
        return "ran, though its do never did"
    refusal = _refusal(undo, do)
    return f"ran, though its do was refused with {refusal}" if refusal else ""


def _answered_unrun(undo: Envelope, do: HistoryRow | None) -> str:
    if do is None:
        return "was said to have nothing to undo, and nothing keeps its do from coming"
    if do.outcome is Outcome.UNDONE and undo.begun:
        return "was said to have nothing to undo, though its do had been answered as begun"
    if do.outcome is Outcome.UNDONE:
        return f"was said to have nothing to undo, though its do was tried {do.attempts} times" if do.attempts else ""
    if do.outcome is Outcome.HANDLED and _refusal(undo, do):
        return ""
    return f"was said to have nothing to undo, and its do was {do.outcome}"


def _refusal(undo: Envelope, do: HistoryRow) -> str:
    answers = _answers(do)
    if any(answer.type in undo.dones for answer in answers):
        return ""  # Its handler may have said other things too.
    return next((answer.type for answer in answers if answer.type in undo.refusals), "")


def _answers(row: HistoryRow) -> Iterable[durable_pb2.Caused]:
    return came_of(row).caused
