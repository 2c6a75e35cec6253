"""What operators are told whose act was refused."""

from __future__ import annotations

from runtime.envelope import Address, address_of
from runtime.errors import AmendsError
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["ActRefused"]


class ActRefused(AmendsError):
    """An actor has refused an act, or would: it moved meanwhile, or is in no state for it."""

    def __init__(self, saga: Address, act: RepairSaga, reason: str) -> None:
        super().__init__(f"{address_of(*saga)}: {reason}")
        self.saga = saga
        self.act = act
        self.reason = reason
