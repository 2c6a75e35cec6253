"""A caller names the fields that it wants, and is told no others; a field that does not exist is refused."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from runtime.protos import admin_pb2 as pb
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import SAGA, serving, stuck_row
from tests.unit.operate.conftest import store
from tests.unit.operate.rows import fill, id_of, join, mail

__all__ = ["store"]

MASKED = [
    ("ListSagas", pb.ListSagasRequest(), "SagaSummary"),
    ("ExplainSaga", pb.ExplainSagaRequest(saga=SAGA), "ExplainSagaResponse"),
    ("GetHistory", pb.GetHistoryRequest(saga=SAGA), "HistoryMoment"),
    ("ListDeadLetters", pb.ListDeadLettersRequest(), "DeadLetterSummary"),
    ("GroupDeadLetters", pb.GroupDeadLettersRequest(), "DeadLetterGroup"),
    ("ListProofs", pb.ListProofsRequest(), "VersionProofs"),
    ("GetBatch", pb.GetBatchRequest(), "Batch"),
    ("ListBatches", pb.ListBatchesRequest(), "Batch"),
    ("ListActs", pb.ListActsRequest(), "ActDone"),
]


@pytest.mark.parametrize(("method", "request_", "told"), MASKED)
async def test_a_field_that_does_not_exist_is_refused_by_name(
    store: MemoryStore, method: str, request_: Any, told: str
) -> None:
    await fill(store, stuck_row())
    request_.read_mask.CopyFrom(FieldMask(paths=["secret"]))
    async with serving(store) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match=f"read_mask names 'secret'; a {told} has ") as refused:
            await getattr(stub, method)(request_)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_only_the_fields_that_are_wanted_are_told(store: MemoryStore) -> None:
    await fill(store, stuck_row(), mail(7, parked="no such sku"))
    async with serving(store) as stub:
        keys = await stub.ListSagas(pb.ListSagasRequest(read_mask=FieldMask(paths=["key", "status"])))
        assert list(keys.sagas) == [pb.SagaSummary(key="ORD-1", status="stuck")]
        owed = await stub.ExplainSaga(
            pb.ExplainSagaRequest(saga=SAGA, read_mask=FieldMask(paths=["owed", "saga.revision"]))
        )
        assert owed.owed and owed.saga.revision and not owed.saga.status and not owed.state_json
        letters = await stub.ListDeadLetters(pb.ListDeadLettersRequest(read_mask=FieldMask(paths=["id"])))
        assert list(letters.letters) == [pb.DeadLetterSummary(id=id_of(7).hex())]


async def test_nodes_and_their_shards_are_told(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    async with serving(store) as stub:
        told = await stub.ListNodes(pb.ListNodesRequest())
    (node,) = told.nodes
    assert (node.name, list(node.kinds)) == ("sales-1", ["sales"])
    assert node.lease_left_s > 0 and node.shards == sum(len(one.shards) for one in told.shards)
    assert not node.HasField("refuses_since_s")
