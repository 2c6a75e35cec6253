"""The saga: one account is debited, and each of several is credited; if one refuses, all have what they had before.

No other transfer touches the accounts meanwhile: each is locked, in the order of their names.

TransferStarted ─▶ locks ─▶ Debit ─▶ Credit of each share ─▶ ConfirmTransfer ─▶ completed
                    ▲ UndoDebit ▲ UndoCredit │ NoSuchAccount
                    └───────────┴────────────┴─▶ CancelTransfer ─▶ compensated
"""

from __future__ import annotations

from examples.transfer.transfer_pb2 import (
    CancelTransfer,
    ConfirmTransfer,
    Credit,
    Credited,
    CreditUndone,
    Debit,
    Debited,
    DebitUndone,
    FundsShort,
    MoveState,
    NoSuchAccount,
    Share,
    TransferCancelled,
    TransferConfirmed,
    TransferStarted,
    UndoCredit,
    UndoDebit,
)
from runtime import Each, Lock, Saga, Step, hours, minutes, on, seconds

__all__ = ["MoveMoney"]


def begin(event: TransferStarted) -> MoveState:
    return MoveState(transfer_id=event.transfer_id, from_account=event.from_account, shares=event.shares)


def accounts(state: MoveState) -> list[str]:
    """In one order for all transfers, so that no two of them wait for each other."""
    return sorted({state.from_account, *(share.account for share in state.shares)})


def account(_state: MoveState, one: str) -> str:
    return one


def total_cents(state: MoveState) -> int:
    return sum(share.cents for share in state.shares)


def debit(state: MoveState) -> Debit:
    return Debit(account=state.from_account, transfer_id=state.transfer_id, cents=total_cents(state))


def undo_debit(state: MoveState) -> UndoDebit:
    return UndoDebit(account=state.from_account, transfer_id=state.transfer_id, cents=total_cents(state))


def shares(state: MoveState) -> list[Share]:
    return list(state.shares)


def credit(state: MoveState, share: Share) -> Credit:
    return Credit(account=share.account, transfer_id=state.transfer_id, cents=share.cents)


def undo_credit(state: MoveState, share: Share) -> UndoCredit:
    return UndoCredit(account=share.account, transfer_id=state.transfer_id, cents=share.cents)


def keep_balance(share: Share, answer: Credited) -> None:
    share.balance_cents = answer.balance_cents


def keep_moved(state: MoveState, done: list[Share]) -> None:
    state.moved_cents = sum(share.cents for share in done)


def confirm(state: MoveState) -> ConfirmTransfer:
    return ConfirmTransfer(transfer_id=state.transfer_id, moved_cents=state.moved_cents)


def cancel(state: MoveState, reason: str) -> CancelTransfer:
    return CancelTransfer(transfer_id=state.transfer_id, reason=reason)


class MoveMoney(Saga[MoveState], kind="move-money"):
    """Moves money to all who shall have it, or to none."""

    started_by = on(TransferStarted, begin)

    hold = Each(accounts, Lock("account", account, within=minutes(5), expires=hours(1)), at_once=1)
    take = Step(debit, Debited, refused=FundsShort, undo=undo_debit, undone=DebitUndone, timeout=seconds(30))
    give = Each(
        shares,
        Step(
            credit,
            Credited,
            refused=NoSuchAccount,
            undo=undo_credit,
            undone=CreditUndone,
            on_answer=keep_balance,
            timeout=seconds(30),
        ),
        key="account",
        at_once=10,
        on_done=keep_moved,
    )
    close = Step(confirm, TransferConfirmed, timeout=seconds(30), pivot=True)
    flow = hold >> take >> give >> close

    closing = Step(cancel, done=TransferCancelled)
