"""The whole deployment on two nodes, in virtual time: money moves to all, or every account is as it was."""

from __future__ import annotations

import pytest

from examples.transfer.catalogue import catalogue
from examples.transfer.transfer_pb2 import (
    CANCELLED,
    CONFIRMED,
    AccountState,
    OpenAccount,
    Share,
    StartTransfer,
    TransferStarted,
    TransferState,
)
from runtime.protos.lock_pb2 import LockRecord
from runtime.testing.fixtures import MakeCluster


@pytest.mark.parametrize(
    ("second", "status", "balances"), [("cem", CONFIRMED, (50, 30, 20)), ("nobody", CANCELLED, (100, 0, 0))]
)
async def test_all_shares_arrive_or_none(
    make_cluster: MakeCluster, second: str, status: int, balances: tuple[int, ...]
) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    for account, cents in (("ann", 100), ("bea", 0), ("cem", 0)):
        await cluster.send(OpenAccount(account=account, cents=cents))
    shares = [Share(account="bea", cents=30), Share(account=second, cents=20)]
    await cluster.send(StartTransfer(transfer_id="M-1", from_account="ann", shares=shares), TransferStarted)
    await cluster.at_rest()
    assert (await cluster.state("transfers", "M-1", TransferState)).status == status
    found = [(await cluster.state("accounts", one, AccountState)).cents for one in ("ann", "bea", "cem")]
    assert tuple(found) == balances


async def test_two_transfers_of_the_same_accounts_come_one_after_the_other(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    for account in ("ann", "bea"):
        await cluster.send(OpenAccount(account=account, cents=100))
    for transfer, one, other in (("M-1", "ann", "bea"), ("M-2", "bea", "ann")):
        shares = [Share(account=other, cents=30)]
        await cluster.send(StartTransfer(transfer_id=transfer, from_account=one, shares=shares), TransferStarted)
    await cluster.at_rest()
    assert [await cluster.status("move-money", one) for one in ("M-1", "M-2")] == ["completed", "completed"]
    assert [await cluster.state("account-lock", one, LockRecord) for one in ("ann", "bea")] == [LockRecord()] * 2
