"""What a node of this deployment can host."""

from __future__ import annotations

from examples.transfer import transfer_pb2
from examples.transfer.saga import MoveMoney
from examples.transfer.services import Accounts, Transfers
from runtime import Catalogue

__all__ = ["catalogue"]


def catalogue() -> Catalogue:
    return Catalogue(contracts=[transfer_pb2], services={"transfers": [Transfers, MoveMoney], "accounts": [Accounts]})
