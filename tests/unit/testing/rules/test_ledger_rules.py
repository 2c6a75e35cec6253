"""What the ledger of a simulated run makes of commits that no store should have let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.conformance.samples import mail_row, post, turn
from runtime.testing.rules.ledger import Ledger

LETTER = mail_row(1, parked="boom")
FREE = mail_row(1, attempts=1)


def broken(*batch: Transition) -> list[str]:
    """The promises that these break, all of them committed in this order."""
    ledger = Ledger()
    ledger.wrote(batch, [Verdict.COMMITTED] * len(batch))
    return [one.invariant for one in ledger.violations]


def operators(rescheduled: Sequence[MailRow]) -> Transition:
    return Transition(address=LETTER.address, shard=LETTER.shard, rescheduled=tuple(rescheduled))


def test_i9_a_dead_letter_that_a_turn_handles_is_seen() -> None:
    assert broken(post(LETTER), turn(1)) == ["I9"]
    assert broken(post(LETTER), operators([FREE]), turn(1)) == []


def test_i9_a_dead_letter_that_a_turn_tries_again_is_seen() -> None:
    retried = replace(turn(1), consumed=(), history=(), rescheduled=(FREE,))
    assert broken(post(LETTER), retried) == ["I9"]
    assert broken(post(FREE), retried) == []
