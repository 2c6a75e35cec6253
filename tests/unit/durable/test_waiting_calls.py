"""What a call that waits asks of the store: the one row that it is about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from protos import billing_pb2
from runtime.durable.client import ActorState
from runtime.envelope import Address, Envelope, shard_of
from runtime.protos import mesh_pb2
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, MailRow, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Till

_BEFORE = 500


class Counted(MemoryStore):
    """Counts the rows that are read of an actor's queue, and the looks at single ones."""

    rows = 0
    looks = 0
    loads = 0

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        self.loads += 1
        return await super().load(addresses)

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        found = await super().waiting_for(address, shard, limit=limit)
        self.rows += len(found)
        return found

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        self.looks += 1
        return await super().mail_of(address, shard, id)


def _id(number: int) -> bytes:
    return b"\xff" + number.to_bytes(15, "big")


def test_a_call_finds_its_parked_command_behind_hundreds_of_others_by_reading_one_row() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        await local.stop()
        store = Counted(local.ports)
        local = await LocalNode([Till()], store).start()
        await _park(local, _BEFORE)
        store.rows = 0
        command = billing_pb2.BillOrder(order_id="ORD-1")
        reply = await local.client.ask(command, timeout=5.0, message_id=_id(_BEFORE))
        assert (reply.fault, store.rows, store.looks) == ("parked", 0, 1)
        await local.stop()

    in_virtual_time(scenario)


def test_who_is_told_of_a_change_does_not_read_the_store_for_it() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        await local.stop()
        store = Counted(local.ports)
        local = await LocalNode([Till()], store).start()
        async with local.client.watch("billing", "ORD-1") as readings:
            await local.send(billing_pb2.BillOrder(order_id="ORD-1", amount_cents=5))
            assert (await anext(readings)).revision == 1
            second = local.ports.tasks.start(_next(readings), name="watches")
            await local.sleep(0.01)
            await local.send(billing_pb2.BillOrder(order_id="ORD-1", amount_cents=5))
            assert await second == 2
            assert store.loads == 1  # the actor itself, when it came into memory
            local.router.watches.on_look(mesh_pb2.Look(address="billing/ORD-1", revision=3))
            await local.send(billing_pb2.BillOrder(order_id="ORD-1", amount_cents=5))
            assert (await anext(readings)).revision == 3
            assert store.loads == 1  # what was told has caught up with what was not
        await local.stop()

    in_virtual_time(scenario)


async def _next(readings: AsyncIterator[ActorState]) -> int:
    return (await anext(readings)).revision


async def _park(local: LocalNode, count: int) -> None:
    command = billing_pb2.BillOrder(order_id="ORD-1")
    for number in range(1, count + 1):
        envelope = Envelope(
            id=_id(number),
            kind="billing",
            key="ORD-1",
            type=local.contracts.of(command).name,
            body=command.SerializeToString(),
            conversation=_id(number),
            sent_at_s=1.0,
        )
        shard = shard_of("ORD-1", local.limits.shards_per_kind)
        row = replace(MailRow.of(envelope, shard), parked="parked", parked_at_s=1.0)
        await local.store.commit([Transition(address=envelope.address, shard=shard, mail=(row,))])
