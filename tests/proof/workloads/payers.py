"""The clients of transfers: they move money between the same few accounts, so that transfers wait for locks.

At rest all transfers that were confirmed make the balance of each account, and no account is locked.
"""

from __future__ import annotations

from collections.abc import Iterator

from examples.transfer.transfer_pb2 import (
    CANCELLED,
    CONFIRMED,
    AccountState,
    OpenAccount,
    Share,
    StartTransfer,
    TransferState,
)
from runtime.protos.lock_pb2 import LockRecord
from runtime.testing.rules.ledger import Violation
from runtime.testing.runs.clients import Clients
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["Payers"]

_CLIENTS = 4
_EACH = 3
_ACCOUNTS = ("ada", "bob", "cyd", "dan")
_OPENING_CENTS = 10_000
_NOBODY = "nobody"  # An account that was never opened.
_TO_NOBODY = 0.2


class Payers(Clients):
    """They move money between the same few accounts, now and then more than is there, or to an account of nobody."""

    def __init__(self, world: World, dice: Dice) -> None:
        super().__init__(world, dice)
        self._wanted = [self._transfer(number) for number in range(_CLIENTS * _EACH)]

    def _transfer(self, number: int) -> StartTransfer:
        giver = self.dice.choose(_ACCOUNTS)
        takers = self.dice.some([one for one in _ACCOUNTS if one != giver])
        if not takers or self.dice.chance(_TO_NOBODY):
            takers = [*takers, _NOBODY]  # Who is credited beside it has to give the money back.
        shares = [Share(account=one, cents=self.dice.choose((500, 4_000))) for one in takers]
        return StartTransfer(transfer_id=f"M-{number}", from_account=giver, shares=shares)

    async def run(self) -> None:
        for account in _ACCOUNTS:
            await self.insist(OpenAccount(account=account, cents=_OPENING_CENTS))
        await self.together(*(self._wanted[number::_CLIENTS] for number in range(_CLIENTS)))

    def check(self) -> Iterator[Violation]:
        expected = dict.fromkeys((*_ACCOUNTS, _NOBODY), _OPENING_CENTS) | {_NOBODY: 0}
        transfers = self.states("transfers", TransferState)
        for wanted in self._wanted:
            status = transfers.get(wanted.transfer_id, TransferState()).status
            if status not in (CONFIRMED, CANCELLED):
                story = self.conversation("transfers", wanted.transfer_id)
                yield Violation("I4", f"{wanted.transfer_id} did not end", story)
            for share in wanted.shares if status == CONFIRMED else ():
                expected[wanted.from_account] -= share.cents
                expected[share.account] += share.cents
        accounts = self.states("accounts", AccountState)
        for account, cents in expected.items():
            found = accounts.get(account, AccountState()).cents
            if found != cents:
                yield Violation("I3", f"{account} has {found} cents, and all transfers make {cents}")
        for row in self.world.ledger.rows_of("account-lock"):
            held = LockRecord.FromString(row.state)
            if held.holders or held.waiters:
                yield Violation("I2", f"the account {row.key} is locked by {held.holders}, awaited by {held.waiters}")
