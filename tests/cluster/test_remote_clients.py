"""Programs outside a cluster: what a client gets from real nodes, from those that stop, and from none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest

from actors.catalogue import catalogue
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, OrderBilled
from protos.sales_pb2 import OrderConflict, OrderLine, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import Restock
from runtime import Catalogue, Service
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.client import Client
from runtime.errors import (
    AmendsError,
    DeadlineExceeded,
    InvalidDefinition,
    InvalidMessage,
    InvalidSettings,
    LinkLost,
    MessageTooLarge,
    MessageTooOld,
    NoSuchSaga,
    UnknownMessageType,
)
from runtime.gateway.remote_client import connect
from runtime.host import Node
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, CancelSaga, RetrySaga, SagaCompleted, SagaRecord

CONTRACTS = (sales_pb2, billing_pb2, warehouse_pb2, orders_pb2)
ID = b"\xff" + bytes(15)

BILL = BillOrder(order_id="ORD-1", amount_cents=5)


class Audit(Service[sales_pb2.OrderState], kind="audit"):
    """A kind of another catalogue."""

    async def note(self, event: OrderBilled) -> OrderBilled:
        return event


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def _node(
    folder: Path, *services: str, name: str = "a", port: int = 0, hosts: Catalogue | None = None
) -> AsyncIterator[Node]:
    settings = Settings(
        services=services, store=f"sqlite:///{folder}/cluster.db", listen=f"127.0.0.1:{port}", name=name, drain_s=5.0
    )
    node = Node(settings, hosts or catalogue(), system_ports())
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def _place(order_id: str, quantity: int = 1) -> PlaceOrder:
    return PlaceOrder(order_id=order_id, line=OrderLine(sku="CUP", quantity=quantity), amount_cents=100)


async def test_a_command_is_answered_read_and_refused_by_the_business(tmp_path: Path) -> None:
    async with _node(tmp_path) as node, connect(node.address, contracts=CONTRACTS) as client:
        outcome = await client.ask(_place("ORD-1"), timeout=timedelta(seconds=20))
        assert isinstance(outcome.message, OrderPlaced) and not outcome.fault
        refused = await client.ask(_place("ORD-1", quantity=2))
        assert isinstance(refused.message, OrderConflict)
        found = await client.read("sales", "ORD-1")
        assert found is not None and found.conversation == outcome.conversation
        assert isinstance(found.state, sales_pb2.OrderState) and found.state.line.quantity == 1
        assert await client.read("sales", "ORD-2") is None


async def test_what_is_sent_is_handled_later_and_asked_for_again_by_its_id(tmp_path: Path) -> None:
    async with _node(tmp_path, "sales") as node, connect(node.address, contracts=CONTRACTS) as client:
        accepted = await client.send(BILL, message_id=ID)
        assert accepted.id == ID
        with pytest.raises(DeadlineExceeded, match=r"no outcome of shop\.BillOrder for billing/ORD-1"):
            await client.ask(BILL, message_id=ID, timeout=0.5)
        async with _node(tmp_path, "billing", name="b"):
            assert not (await client.ask(BILL, message_id=ID)).fault
            assert (await client.send(BILL, message_id=ID)).id == ID
            found = await client.read("billing", "ORD-1")
            assert found is not None and found.revision == 1


async def test_a_client_whose_node_stops_asks_the_next_one_by_the_same_id(tmp_path: Path) -> None:
    first, second = _free_port(), _free_port()
    addresses = (f"127.0.0.1:{first}", f"127.0.0.1:{second}")
    async with connect(*addresses, contracts=CONTRACTS) as client:
        async with _node(tmp_path, "sales", port=first) as node:
            asking = asyncio.create_task(client.ask(BILL, message_id=ID))
            async with asyncio.timeout(20):
                while not await node.store.mail_of_conversation(ID):
                    await asyncio.sleep(0.01)
        async with _node(tmp_path, "billing", name="b", port=second):
            outcome = await asking
            assert (outcome.fault, outcome.id) == ("", ID)
            found = await client.read("billing", "ORD-1")
            assert found is not None and found.revision == 1


async def test_a_watch_goes_on_over_a_restart_and_shows_nothing_twice(tmp_path: Path) -> None:
    port = _free_port()
    async with connect(f"127.0.0.1:{port}", contracts=CONTRACTS) as client, client.watch("billing", "ORD-1") as states:
        async with _node(tmp_path, port=port):
            watching = asyncio.ensure_future(anext(states))  # nothing is there yet
            await client.ask(BILL)
            assert (await watching).revision == 1
        async with _node(tmp_path, port=port):
            watching = asyncio.ensure_future(anext(states))
            await client.ask(billing_pb2.RefundOrder(order_id="ORD-1"))
            assert (await watching).revision == 2


async def test_s124_a_client_waits_for_the_end_of_a_saga_that_has_not_begun(tmp_path: Path) -> None:
    async with _node(tmp_path) as node, connect(node.address, contracts=CONTRACTS) as client:
        end = asyncio.ensure_future(client.saga_end("order-process", "ORD-1"))
        await client.ask(Restock(sku="CUP", quantity=1))
        await client.ask(_place("ORD-1"))
        assert await asyncio.wait_for(end, 20) == SagaCompleted()
        with pytest.raises(InvalidMessage, match=r"sales/ORD-1 is a service and no saga"):
            await client.saga_end("sales", "ORD-1")


async def test_a_saga_is_cancelled_before_its_pivot_and_not_after_its_end(tmp_path: Path) -> None:
    async with _node(tmp_path, "sales", "orchestration") as node, connect(node.address, contracts=CONTRACTS) as client:
        with pytest.raises(NoSuchSaga, match="there is no saga order-process/ORD-1"):
            await client.cancel("order-process", "ORD-1", "too slow")
        await client.ask(_place("ORD-1"))
        with pytest.raises(InvalidMessage, match="sales/ORD-1 is a service and no saga"):
            await client.cancel("sales", "ORD-1", "too slow")
        await _until(client, "ORD-1", SagaRecord.RUNNING)
        accepted = await client.cancel("order-process", "ORD-1", "too slow")
        assert accepted.message == CancelAccepted(reason="cancelled: too slow")
        async with _node(tmp_path, "billing", "warehouse", name="b"):
            await _until(client, "ORD-1", SagaRecord.COMPENSATED)
            await client.ask(Restock(sku="CUP", quantity=1))
            await client.ask(_place("ORD-2"))
            await _until(client, "ORD-2", SagaRecord.COMPLETED)
            late = await client.cancel("order-process", "ORD-2", "too late")
            assert isinstance(late.message, CancelRefused)


async def _until(client: Client, key: str, status: SagaRecord.Status.ValueType) -> None:
    async with asyncio.timeout(20), client.watch("order-process", key) as states:
        async for one in states:
            if isinstance(one.state, SagaRecord) and one.state.status == status:
                return


async def test_nobody_at_the_address_is_said_after_a_while_and_nothing_was_sent() -> None:
    async with connect(f"127.0.0.1:{_free_port()}", contracts=CONTRACTS, patience=0.3) as client:
        with pytest.raises(LinkLost, match="no node answers at 127"):
            await client.ask(BILL)
        with pytest.raises(LinkLost, match="no node answers at 127"):
            async with client.watch("billing", "ORD-1") as states:
                await anext(states)


async def test_what_a_node_refuses_is_the_error_that_it_is_inside(tmp_path: Path) -> None:
    large = BillOrder(order_id="ORD-1", line=OrderLine(sku="x" * 1_500_000))
    huge = BillOrder(order_id="ORD-1", line=OrderLine(sku="x" * 3_000_000))
    async with _node(tmp_path) as node, connect(node.address, contracts=CONTRACTS) as client:
        for command in (large, huge):
            with pytest.raises(MessageTooLarge, match=r"larger than|bytes"):
                await client.ask(command)
        with pytest.raises(MessageTooOld, match="send it under a new id"):
            await client.send(BILL, message_id=bytes(16))
        with pytest.raises(InvalidMessage, match="a message id has 16 bytes, not 3"):
            await client.send(BILL, message_id=b"abc")
        with pytest.raises(InvalidMessage, match="is no command"):
            await client.send(OrderBilled(order_id="ORD-1"))
        for own in (RetrySaga(reason="now"), CancelSaga(reason="now")):
            with pytest.raises(InvalidMessage, match="is sent by the runtime alone"):
                await client.ask(own, kind="order-process", key="ORD-1")


async def test_a_kind_is_known_by_its_store_when_its_node_is_down_and_a_misspelt_one_is_refused(tmp_path: Path) -> None:
    foreign = Catalogue(contracts=[*CONTRACTS], services={"audit": [Audit]})
    async with _node(tmp_path, name="b", hosts=foreign):
        pass
    async with _node(tmp_path) as node, connect(node.address, contracts=CONTRACTS) as client:
        with pytest.raises(InvalidMessage, match=r"no stored row knows a kind 'audits', .* the nearest is 'audit'"):
            await client.send(BILL, kind="audits")
        await client.send(BILL, kind="audit")
        await client.send(BILL, kind="order-process")


async def test_messages_that_the_client_has_no_contract_of_are_named_with_the_cure(tmp_path: Path) -> None:
    async with _node(tmp_path) as node:
        async with connect(node.address) as client:
            with pytest.raises(UnknownMessageType, match=r"no message type 'shop\.BillOrder' is known here"):
                await client.ask(BILL)
        async with connect(node.address, contracts=[billing_pb2]) as client:
            await client.ask(BILL)
        async with connect(node.address) as client:
            with pytest.raises(UnknownMessageType, match="the state of billing/ORD-1 is of a message that this client"):
                await client.read("billing", "ORD-1")


async def test_a_server_that_is_no_node_is_named() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with connect(f"127.0.0.1:{port}", contracts=CONTRACTS) as client:
        with pytest.raises(AmendsError, match="is no node of Amends"):
            await client.ask(BILL)
    await server.stop(None)


@pytest.mark.parametrize("addresses", [(), ("nowhere",), ("127.0.0.1:0",), ("127.0.0.1:7650", ":1")])
async def test_an_address_that_is_none_is_refused_before_anything_is_dialled(addresses: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSettings, match=r"such as 127\.0\.0\.1:7650"):
        async with connect(*addresses):
            pass


async def test_contracts_that_are_no_generated_module_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="which is no generated module"):
        async with connect("127.0.0.1:7650", contracts=[asyncio]):
            pass
