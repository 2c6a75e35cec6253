"""Whoever submits is told the truth, or the run says so."""

from __future__ import annotations

from dataclasses import replace

from runtime.adapters import system_ports
from runtime.errors import StoreError, StoreUnavailable
from runtime.store.committer import Committer
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, Outcome, Transition, Verdict
from runtime.testing.rules.ledger import Ledger
from runtime.testing.rules.witness import CommitWitness


class _Liar:
    """A committer that says what it was told to say."""

    def __init__(self, says: Verdict | StoreError) -> None:
        self._says = says

    def submit(self, transition: Transition, done: object) -> None:
        assert callable(done)
        done(self._says)


def post(number: int = 1) -> Transition:
    row = MailRow("billing", "a", 0, bytes([number] * 16), b"c" * 16, 1.0, number, 0.0, 0, "", 0.0, b"")
    return Transition(address=("billing", "a"), mail=(row,))


def turn(state: bytes = b"", handled_at_s: float = 1.0) -> Transition:
    actor = ActorRow("billing", "a", 0, 1, b"\x01" * 16, b"c" * 16, "t", state, b"", None, handled_at_s)
    history = HistoryRow(
        b"c" * 16,
        b"\x01" * 16,
        "billing",
        "a",
        0,
        1,
        handled_at_s,
        Outcome.HANDLED,
        1,
        "n@1",
        "",
        "t",
        "",
        b"",
        1.0,
        b"",
    )
    return Transition(actor=actor, expected=Expected(0, b""), consumed=(b"\x01" * 16,), history=(history,))


def told(ledger: Ledger, transition: Transition, says: Verdict | StoreError) -> list[str]:
    """What the ledger makes of somebody being told this."""
    committer = Committer(MemoryStore(system_ports()), system_ports())
    heard: list[Verdict | StoreError] = []
    committer.submit = _Liar(says).submit  # type: ignore[method-assign, assignment]  # stands for one that is wrong
    CommitWitness(committer, ledger)
    committer.submit(transition, heard.append)
    assert heard == [says], "who submitted was not told"
    return [one.what for one in ledger.violations if one.invariant == "I11"]


def with_committed(*transitions: Transition) -> Ledger:
    ledger = Ledger()
    ledger.wrote(transitions, [Verdict.COMMITTED] * len(transitions))
    assert not ledger.violations
    return ledger


def test_true_words_pass() -> None:
    first, second = post(), turn()
    ledger = with_committed(first, second)
    assert told(ledger, first, Verdict.COMMITTED) == []
    assert told(ledger, second, Verdict.COMMITTED) == []
    assert told(ledger, turn(b"other"), Verdict.CONFLICT) == []
    assert told(ledger, post(2), StoreUnavailable("no")) == []
    assert told(ledger, post(), Verdict.DUPLICATE) == []


def test_a_post_that_was_sent_before_under_its_id_is_committed() -> None:
    assert told(with_committed(post()), post(), Verdict.COMMITTED) == []


def test_what_was_not_committed_may_not_be_said_to_be() -> None:
    (what,) = told(with_committed(post()), post(2), Verdict.COMMITTED)
    assert what == "a post for billing/a was said to be committed, and is not"
    (what,) = told(with_committed(post(), turn()), turn(b"another attempt", 2.0), Verdict.COMMITTED)
    assert "revision 1 of billing/a was said to be committed" in what


def test_what_was_committed_may_not_be_denied() -> None:
    done = turn()
    (what,) = told(with_committed(post(), done), done, StoreUnavailable("the connection broke"))
    assert "was said not to be committed, and is" in what


def test_a_turn_that_only_put_mail_off_may_be_denied_once_another_has_followed_and_nobody_can_tell() -> None:
    actor = turn().actor
    assert actor is not None
    later = tuple(replace(row, due_at_s=9.0, attempts=1) for row in post().mail)
    put_off = Transition(actor=actor, expected=Expected(0, b""), rescheduled=later)
    ledger = with_committed(post(), put_off)
    (what,) = told(ledger, put_off, Verdict.CONFLICT)
    assert "revision 1 of billing/a was said not to be committed, and is" in what
    follows = Transition(actor=replace(actor, revision=2, last_id=b"2" * 16), expected=Expected(1, actor.last_id))
    assert told(with_committed(post(), put_off, follows), put_off, Verdict.CONFLICT) == []


def test_what_was_denied_may_not_come_to_be() -> None:
    ledger, late = with_committed(post()), turn()
    assert told(ledger, late, StoreUnavailable("no")) == []
    ledger.wrote([late], [Verdict.COMMITTED])
    assert "came to be" in ledger.violations[0].what
