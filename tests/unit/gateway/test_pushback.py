"""A node that has too much to do says when to come again, and a client outside comes again then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from protos import billing_pb2
from protos.billing_pb2 import BillOrder, OrderBilled
from runtime.adapters import ignore, system_ports
from runtime.contracts import Contracts
from runtime.durable.client import ActorState, Client, CommandAccepted, CommandOutcome
from runtime.errors import BacklogFull
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.streams import CallStreams, add_calls_service
from runtime.gateway.client_service import ERROR_NAME, add_client_service
from runtime.gateway.codes import PUSHBACK
from runtime.gateway.interceptors import EdgeInterceptor
from runtime.gateway.remote_client import connect
from runtime.protos import client_pb2, client_pb2_grpc

BILL = BillOrder(order_id="ORD-1", amount_cents=5)
BILLED = OrderBilled(order_id="ORD-1", amount_cents=5)
TEXT = "11 messages wait at node one"


class RefusingNode(Client):
    """Refuses the first so many commands, and notes the id of each that comes."""

    def __init__(self, refusals: int, retry_after_s: float) -> None:
        self.ids: list[bytes] = []
        self._refusals = refusals
        self._retry_after_s = retry_after_s

    @property
    def contracts(self) -> Contracts:
        return Contracts([billing_pb2])

    async def send(self, command: Any, *, timeout: Any = 30.0, **options: Any) -> CommandAccepted:
        outcome = await self.ask(command, timeout=timeout, **options)
        return CommandAccepted(outcome.id, outcome.conversation)

    async def ask(self, command: Any, *, timeout: Any = 30.0, **options: Any) -> CommandOutcome:
        self.ids.append(options["message_id"])
        if len(self.ids) <= self._refusals:
            raise BacklogFull(TEXT, retry_after_s=self._retry_after_s)
        return CommandOutcome(BILLED, "", options["message_id"], options["message_id"])

    async def read(self, kind: str, key: str) -> ActorState | None:
        raise NotImplementedError

    def watch(self, kind: str, key: str) -> AbstractAsyncContextManager[AsyncIterator[ActorState]]:
        raise NotImplementedError


@asynccontextmanager
async def serving(node: Client, *, knows_streams: bool = True) -> AsyncIterator[str]:
    ports = system_ports(ignore)
    server = grpc.aio.server(interceptors=[CallStreams(ports, CallLimits(), within=[EdgeInterceptor(ports)])])
    add_client_service(server, node)
    if knows_streams:
        add_calls_service(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_whoever_calls_learns_code_text_name_and_when_to_come_again() -> None:
    async with serving(RefusingNode(1, 2.5)) as address, grpc.aio.insecure_channel(address) as channel:
        request = client_pb2.CommandRequest(type="shop.BillOrder", body=BILL.SerializeToString(), id=bytes(16))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client_pb2_grpc.ClientStub(channel).Ask(request, timeout=30)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, TEXT)
        told = dict(caught.value.trailing_metadata() or ())
        assert (told[ERROR_NAME], told[PUSHBACK]) == ("BacklogFull", "2500")


async def test_a_client_comes_again_as_often_as_it_has_to_under_the_same_id() -> None:
    node = RefusingNode(3, 0.01)
    async with serving(node) as address, connect(address, contracts=[billing_pb2]) as client:
        outcome = await client.ask(BILL, timeout=60)
        assert (outcome.message, len(node.ids), len(set(node.ids))) == (BILLED, 4, 1)


async def test_of_many_commands_on_one_stream_those_that_are_refused_come_again_under_their_ids() -> None:
    node = RefusingNode(30, 0.01)
    async with serving(node) as address, connect(address, contracts=[billing_pb2]) as client:
        outcomes = await asyncio.gather(*(client.ask(BILL, timeout=60) for _ in range(20)))
        assert [outcome.message for outcome in outcomes] == [BILLED] * 20
        assert (len(node.ids), len(set(node.ids))) == (50, 20)


async def test_a_client_does_as_much_at_once_at_an_older_node_that_knows_no_streams() -> None:
    node = RefusingNode(3, 0.01)
    async with serving(node, knows_streams=False) as address, connect(address, contracts=[billing_pb2]) as client:
        outcomes = await asyncio.gather(*(client.ask(BILL, timeout=60) for _ in range(20)))
        assert [outcome.message for outcome in outcomes] == [BILLED] * 20 and len(node.ids) == 23


async def test_a_client_whose_time_would_be_over_by_then_is_told_at_once_why() -> None:
    node = RefusingNode(1, 3_600.0)
    async with serving(node) as address, connect(address, contracts=[billing_pb2]) as client:
        for number in (1, 2):
            node.ids.clear()
            with pytest.raises(BacklogFull, match=TEXT) as caught:
                await (client.ask if number == 1 else client.send)(BILL, timeout=60)
            assert caught.value.retry_after_s == 3_600.0
            assert len(node.ids) == 1
