"""Transfers of which each locks first the account that it takes from, and then the one that it gives to."""

from __future__ import annotations

from typing import Any

from examples.transfer import transfer_pb2
from examples.transfer.saga import MoveMoney, begin
from examples.transfer.services import Accounts, Transfers
from examples.transfer.transfer_pb2 import (
    Debit,
    Debited,
    DebitUndone,
    FundsShort,
    MoveState,
    OpenAccount,
    Share,
    StartTransfer,
    TransferStarted,
    UndoDebit,
)
from runtime import Catalogue, FinalError, Lock, Saga, Wait, hours, minutes, on, seconds
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.testing import Cluster

__all__ = ["MOVE", "catalogue", "move", "open_accounts", "record", "task"]

MOVE = "move-in-order"
BROKEN = "bro"


def giver(state: MoveState) -> str:
    return state.from_account


def taker(state: MoveState) -> str:
    return state.shares[0].account


class MoveInOrder(Saga[MoveState], kind=MOVE):
    """Rests between its two locks, so that others come in between."""

    started_by = on(TransferStarted, begin)

    first = Lock("account", key=giver, within=hours(2), expires=hours(1))
    rest = Wait(seconds(10))
    second = Lock("account", key=taker, within=minutes(30))
    take, give, close, closing = MoveMoney.take, MoveMoney.give, MoveMoney.close, MoveMoney.closing
    flow = first >> rest >> second >> take >> give >> close


class BrokenAccounts(Accounts, kind="accounts"):
    """One of the accounts does nothing that is asked of it."""

    async def debit(self, command: Debit) -> Debited | FundsShort:
        if command.account == BROKEN:
            raise FinalError("this account is broken")
        return await super().debit(command)

    async def undo_debit(self, command: UndoDebit) -> DebitUndone:
        if command.account == BROKEN:
            raise FinalError("this account is broken")
        return await super().undo_debit(command)


def catalogue() -> Catalogue:
    services: dict[str, Any] = {"transfers": [Transfers, MoveInOrder], "accounts": [BrokenAccounts]}
    return Catalogue(contracts=[transfer_pb2], services=services)


async def open_accounts(cluster: Cluster, **cents: int) -> None:
    for account, amount in cents.items():
        await cluster.send(OpenAccount(account=account, cents=amount))


async def move(cluster: Cluster, transfer: str, one: str, other: str, cents: int = 10) -> None:
    shares = [Share(account=other, cents=cents)]
    await cluster.send(StartTransfer(transfer_id=transfer, from_account=one, shares=shares), TransferStarted)


async def record(cluster: Cluster, transfer: str) -> SagaRecord:
    """That of its saga."""
    found = await cluster.client().read(MOVE, transfer)
    assert found is not None and isinstance(found.state, SagaRecord)
    return found.state


async def task(cluster: Cluster, transfer: str, path: str) -> TaskRecord:
    return next(one for one in (await record(cluster, transfer)).tasks if one.path == path)
