"""The services of a transfer. An account is one actor, so two transfers never look at its balance at once."""

from __future__ import annotations

from examples.transfer.transfer_pb2 import (
    CANCELLED,
    CONFIRMED,
    NONE,
    STARTED,
    AccountState,
    CancelTransfer,
    ConfirmTransfer,
    Credit,
    Credited,
    CreditUndone,
    Debit,
    Debited,
    DebitUndone,
    FundsShort,
    NoSuchAccount,
    OpenAccount,
    StartTransfer,
    TransferCancelled,
    TransferConfirmed,
    TransferStarted,
    TransferState,
    UndoCredit,
    UndoDebit,
)
from runtime import Service

__all__ = ["Accounts", "Transfers"]


class Transfers(Service[TransferState], kind="transfers"):
    """What was asked for, and what became of it."""

    async def start(self, command: StartTransfer) -> TransferStarted | None:
        """The same transfer again starts nothing."""
        if self.state.status != NONE:
            return None
        self.state.status = STARTED
        return TransferStarted(transfer_id=self.key, from_account=command.from_account, shares=command.shares)

    async def confirm(self, command: ConfirmTransfer) -> TransferConfirmed:
        self.state.status, self.state.moved_cents = CONFIRMED, command.moved_cents
        return TransferConfirmed(transfer_id=self.key)

    async def cancel(self, command: CancelTransfer) -> TransferCancelled:
        self.state.status, self.state.reason = CANCELLED, command.reason
        return TransferCancelled(transfer_id=self.key)


class Accounts(Service[AccountState], kind="accounts"):
    """What was never taken is not given back, and what was never given is not taken back."""

    async def open(self, command: OpenAccount) -> None:
        self.state.is_open, self.state.cents = True, command.cents

    async def debit(self, command: Debit) -> Debited | FundsShort:
        if command.cents > self.state.cents:
            return FundsShort(transfer_id=command.transfer_id)
        self.state.cents -= command.cents
        return Debited(transfer_id=command.transfer_id)

    async def undo_debit(self, command: UndoDebit) -> DebitUndone:
        if not self.do_failed:
            self.state.cents += command.cents
        return DebitUndone(transfer_id=command.transfer_id)

    async def credit(self, command: Credit) -> Credited | NoSuchAccount:
        if not self.state.is_open:
            return NoSuchAccount(transfer_id=command.transfer_id)
        self.state.cents += command.cents
        return Credited(transfer_id=command.transfer_id, balance_cents=self.state.cents)

    async def undo_credit(self, command: UndoCredit) -> CreditUndone:
        if not self.do_failed:
            self.state.cents -= command.cents
        return CreditUndone(transfer_id=command.transfer_id)
