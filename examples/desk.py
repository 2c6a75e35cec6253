"""An operator's program: it calls the repair desk of a cluster from outside, by the generated stub alone."""

from __future__ import annotations

import grpc
import grpc.aio

from runtime.protos import admin_pb2, admin_pb2_grpc
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["retry_stuck"]


async def retry_stuck(address: str, *, who: str, reason: str) -> dict[str, str]:
    """Have each saga that is stuck try again, as it was looked at; gives what came of each."""
    told: dict[str, str] = {}
    async with grpc.aio.insecure_channel(address) as channel:
        desk: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(channel)
        query = admin_pb2.SagaQuery(statuses=["stuck"])
        page = await desk.ListSagas(admin_pb2.ListSagasRequest(query=query), timeout=10)
        for one in page.sagas:
            saga = f"{one.kind}/{one.key}"
            seen = await desk.ExplainSaga(admin_pb2.ExplainSagaRequest(saga=saga), timeout=10)
            act = RepairSaga(act=RepairSaga.RETRY, who=who, reason=reason, expected_revision=seen.saga.revision)
            try:
                done = await desk.Act(admin_pb2.ActRequest(saga=saga, act=act), timeout=20)
                told[saga] = done.text if done.handled else "no node has found it yet"
            except grpc.aio.AioRpcError as refused:  # FAILED_PRECONDITION: it has moved since we looked
                told[saga] = refused.details() or ""
    return told
