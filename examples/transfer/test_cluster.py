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
