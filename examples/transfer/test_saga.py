"""The saga by itself: all shares are credited at once, and one refusal takes all of them back."""

from __future__ import annotations

from examples.transfer.saga import MoveMoney
from examples.transfer.transfer_pb2 import (
    ConfirmTransfer,
    Credit,
    Credited,
    CreditUndone,
    Debit,
    Debited,
    FundsShort,
    NoSuchAccount,
    Share,
    TransferConfirmed,
    TransferStarted,
    UndoCredit,
    UndoDebit,
)
from runtime.testing import SagaTranscript

SHARES = [Share(account="bea", cents=30), Share(account="cem", cents=20)]
STARTED = TransferStarted(transfer_id="M-1", from_account="ann", shares=SHARES)


def debited() -> SagaTranscript:
    move = SagaTranscript(MoveMoney)
    move.given(STARTED).expect(Debit(account="ann", transfer_id="M-1", cents=50))
    return move.given(Debited(transfer_id="M-1")).expect(Credit, Credit)


def test_each_share_is_credited_and_then_the_transfer_is_confirmed() -> None:
    move = debited()
    move.given(Credited(balance_cents=30), to=move.command(Credit, 0)).expect()
    move.given(Credited(balance_cents=20), to=move.command(Credit, 1))
    move.expect(ConfirmTransfer(transfer_id="M-1", moved_cents=50))
    move.given(TransferConfirmed(transfer_id="M-1")).expect_status("completed")


def test_one_refusal_takes_back_what_the_others_were_given_and_then_the_debit() -> None:
    move = debited()
    move.given(Credited(balance_cents=30), to=move.command(Credit, 0))
    move.given(NoSuchAccount(), to=move.command(Credit, 1))
    move.expect(UndoCredit(account="bea", transfer_id="M-1", cents=30))
    move.given(CreditUndone(transfer_id="M-1")).expect(UndoDebit(account="ann", transfer_id="M-1", cents=50))


def test_the_accounts_are_locked_one_after_another_and_free_once_all_is_confirmed() -> None:
    other = "move-money/M-0"
    move = SagaTranscript(MoveMoney, key="M-1").given_locked("account", "bea", by=other).given(STARTED).expect()
    move.expect_locked("account", "ann")
    assert move.step_status("hold[cem]") == "waiting"
    move.given_unlocked("account", "bea", by=other).expect(Debit).expect_locked("account", "cem")
    move.given(Debited(transfer_id="M-1"))
    for share in (0, 1):
        move.given(Credited(balance_cents=30), to=move.command(Credit, share))
    move.given(TransferConfirmed(transfer_id="M-1"), to=move.command(ConfirmTransfer)).expect_status("completed")
    move.given_locked("account", "ann", by=other).given_locked("account", "cem", by=other)


def test_an_account_that_is_short_of_money_credits_nobody() -> None:
    move = SagaTranscript(MoveMoney).given(STARTED).given(FundsShort(transfer_id="M-1"))
    assert not [one for one in move.sent if isinstance(one.message, Credit)]
