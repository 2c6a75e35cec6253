"""The row of one saga, and the record in it."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from runtime.envelope import Address, address_of
from runtime.operate.dead_letters import NotFound
from runtime.operate.stored_kinds import stored_address
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow

__all__ = ["Saga", "record_of"]

Saga = tuple[ActorRow, SagaRecord]


async def record_of(store: OperatorStore, saga: Address) -> Saga:
    """Of a saga that has begun. Raises NotFound, or StoreError."""
    where = address_of(*saga)
    (row,) = await store.load([await stored_address(store, saga)])
    if row is None or row.state_type != SagaRecord.DESCRIPTOR.full_name:
        raise NotFound(f"there is no saga {where}; list them with `sagas`")
    if not row.state:
        raise NotFound(f"the saga {where} has not begun; `explain {where}` tells what it waits for")
    try:
        return row, SagaRecord.FromString(row.state)
    except DecodeError as error:
        raise NotFound(f"the record of {where} cannot be read: {error}") from error
