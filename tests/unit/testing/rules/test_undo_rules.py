"""An undo runs exactly if its do may have had an effect: what goes with what, and what does not."""

from __future__ import annotations

import pytest

from runtime.envelope import Envelope
from runtime.protos.durable_pb2 import Caused, CausedList
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.rules.undo_rules import broken_undo

DO, UNDO = b"d" * 16, b"u" * 16


def undo() -> Envelope:
    return Envelope(
        id=UNDO,
        kind="billing",
        key="ORD-1",
        type="shop.RefundOrder",
        body=b"",
        conversation=b"c" * 16,
        undo_of=DO,
        refusals=("shop.PaymentDeclined",),
    )


def row(outcome: Outcome, *, attempts: int = 1, answer: str = "") -> HistoryRow:
    caused = CausedList(caused=[Caused(id=b"", address="a/b", type=answer)]).SerializeToString() if answer else b""
    return HistoryRow(
        b"c" * 16, DO, "billing", "ORD-1", 0, 1, 1.0, outcome, attempts, "n@1", "", "t", "", b"", 1.0, caused
    )


RAN, UNRUN = row(Outcome.HANDLED), row(Outcome.UNDONE, attempts=0)
REFUSED = row(Outcome.HANDLED, answer="shop.PaymentDeclined")
FAULTED = row(Outcome.FAULTED)


@pytest.mark.parametrize(
    ("became", "do"),
    [
        (RAN, RAN),
        (RAN, FAULTED),
        (RAN, row(Outcome.HANDLED, answer="shop.OrderBilled")),
        (UNRUN, UNRUN),
        (UNRUN, REFUSED),
        (row(Outcome.FAULTED), None),
        (row(Outcome.IGNORED), RAN),
    ],
)
def test_what_goes_with_what_became_of_the_do_is_sound(became: HistoryRow, do: HistoryRow | None) -> None:
    assert broken_undo(undo(), became, do) == ""


@pytest.mark.parametrize(
    ("became", "do", "says"),
    [
        (RAN, UNRUN, "its do never did"),
        (RAN, REFUSED, "refused with shop.PaymentDeclined"),
        (RAN, None, "nothing is known"),
        (UNRUN, RAN, "its do was handled"),
        (UNRUN, FAULTED, "its do was faulted"),
        (UNRUN, row(Outcome.UNDONE, attempts=2), "tried 2 times"),
        (UNRUN, None, "nothing keeps its do from coming"),
    ],
)
def test_what_does_not_go_with_it_is_told(became: HistoryRow, do: HistoryRow | None, says: str) -> None:
    assert says in broken_undo(undo(), became, do)


def test_an_undo_does_not_run_after_another_of_the_same_do() -> None:
    assert "had undone the same" in broken_undo(undo(), RAN, RAN, b"v" * 16)
    assert broken_undo(undo(), row(Outcome.UNDONE, attempts=0), RAN, b"v" * 16) == ""
