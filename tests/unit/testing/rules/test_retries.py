"""Messages that wait for a retry: who comes too early, and who is overtaken."""

from __future__ import annotations

from dataclasses import replace

from runtime.envelope import Envelope
from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, Outcome, Transition, Verdict
from runtime.testing.rules.ledger import Ledger
from runtime.testing.rules.retries import Retries

PAIR = ("alpha/one", ("beta", "sea"))


def mail(number: int, *, attempts: int = 0, due_at_s: float = 0.0, parked: str = "") -> MailRow:
    id = bytes([number] * 16)
    envelope = Envelope(id=id, kind="beta", key="sea", type="t", body=b"", conversation=b"c" * 16, sender="alpha/one")
    return MailRow("beta", "sea", 0, id, b"c" * 16, 1.0, number, due_at_s, attempts, parked, 0.0, envelope.encoded)


def test_what_was_sent_later_may_not_overtake_what_is_tried_again() -> None:
    retries = Retries()
    retries.put_off(PAIR, 3, mail(3, attempts=1))
    assert retries.overtaken(PAIR, 2) is None
    assert retries.overtaken(("alpha/two", PAIR[1]), 4) is None
    assert retries.overtaken(PAIR, 4) == mail(3, attempts=1)
    assert retries.ended(PAIR, mail(3).id) == mail(3, attempts=1)
    assert retries.overtaken(PAIR, 4) is None


def test_what_was_parked_may_be_overtaken_also_when_it_is_replayed() -> None:
    retries = Retries()
    retries.put_off(PAIR, 3, mail(3, attempts=1))
    retries.put_off(PAIR, 3, mail(3, attempts=2, parked="boom"))
    assert retries.overtaken(PAIR, 4) is None
    retries.put_off(PAIR, 3, mail(3))
    assert retries.overtaken(PAIR, 4) is None


def turn(revision: int, handled: MailRow | None = None, put_off: MailRow | None = None) -> Transition:
    actor = ActorRow("beta", "sea", 0, revision, bytes([revision] * 16), b"c" * 16, "t", b"", b"", None, 1.0)
    before = Expected(revision - 1, bytes([revision - 1] * 16) if revision > 1 else b"")
    history = () if handled is None else (history_of(handled, revision),)
    return Transition(
        actor=actor,
        expected=before,
        consumed=() if handled is None else (handled.id,),
        history=history,
        rescheduled=() if put_off is None else (put_off,),
    )


def history_of(row: MailRow, revision: int) -> HistoryRow:
    return HistoryRow(
        b"c" * 16, row.id, "beta", "sea", 0, revision, 10.0, Outcome.HANDLED, 1, "n@1", "", "t", "", b"", 1.0, b""
    )


def told(*turns: Transition) -> list[str]:
    ledger = Ledger()
    for one in (Transition(mail=(mail(1), mail(2))), *turns):
        ledger.wrote([one], [Verdict.COMMITTED])
    return [f"{one.invariant}: {one.what}" for one in ledger.violations]


def test_the_ledger_tells_of_a_message_that_overtakes_a_retry() -> None:
    (what,) = told(turn(1, put_off=mail(1, attempts=1, due_at_s=9.0)), turn(2, handled=mail(2)))
    assert what.startswith("I7: beta/sea handled t of alpha/one before")
    assert told(turn(1, put_off=mail(1, attempts=1)), turn(2, handled=mail(1)), turn(3, handled=mail(2))) == []


def test_the_ledger_tells_of_a_retry_that_runs_too_early() -> None:
    early, late = mail(1, attempts=1, due_at_s=11.5), mail(1, attempts=1, due_at_s=9.5)
    assert told(turn(1, put_off=early), turn(2, handled=early)) == [
        f"I10: t {early.id.hex()} ran 1.500 s before its time"
    ]
    assert told(turn(1, put_off=late), turn(2, handled=replace(late))) == []
