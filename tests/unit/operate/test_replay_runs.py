"""A dead letter that is replayed reaches its actor again: on a node that runs, and once."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.observe.conversation import MessageStatus, read_conversation
from runtime.operate.dead_letters import Act, carry_out, dead_letters, discard, replay
from tests.unit.durable.local import LocalNode, in_virtual_time


class ReaderService(Service[BillState], kind="billing", retries=RetryPolicy(immediate=1, delays=(5.0,), jitter=0.0)):
    """Fails while it is broken."""

    broken = True

    async def bill(self, command: BillOrder) -> OrderBilled:
        if ReaderService.broken:
            raise RuntimeError("the card reader is broken")
        self.state.charges += 1
        return OrderBilled(order_id=self.key, amount_cents=command.amount_cents)


@pytest.mark.parametrize("mended", [True, False])
def test_s60_a_replayed_dead_letter_is_handled_once_or_parked_again(mended: bool) -> None:
    async def scenario() -> None:
        node = await LocalNode([ServiceBehaviour(ReaderService)]).start()
        ReaderService.broken = True
        reply = await node.client.ask(BillOrder(order_id="ORD-1", amount_cents=5), timeout=60.0)
        assert "card reader" in reply.fault
        (letter,) = await dead_letters(node.store, limit=10)
        ReaderService.broken = not mended
        await carry_out(node.store, replay(letter, Act("ann", node.ports.clock.now_s(), "the card reader was mended")))
        await node.sleep(30.0)
        again = await dead_letters(node.store, limit=10)
        assert [one.row.id for one in again] == ([] if mended else [letter.row.id])
        state = BillState.FromString((await node.row("billing", "ORD-1")).state)
        assert state.charges == (1 if mended else 0)
        told = (await read_conversation(node.store, letter.row.conversation)).messages
        assert [message.status for message in told] == [
            MessageStatus.IGNORED,
            MessageStatus.HANDLED if mended else MessageStatus.PARKED,
        ]
        await node.stop()

    in_virtual_time(scenario)


def test_who_asks_after_a_command_that_was_discarded_is_not_told_that_it_was_handled() -> None:
    async def scenario() -> None:
        node = await LocalNode([ServiceBehaviour(ReaderService)]).start()
        ReaderService.broken = True
        command = BillOrder(order_id="ORD-1", amount_cents=5)
        id = int(node.ports.clock.now_s() * 1000).to_bytes(6, "big") + bytes(10)
        assert (await node.client.ask(command, timeout=60.0, message_id=id)).fault
        (letter,) = await dead_letters(node.store, limit=10)
        await carry_out(node.store, discard(letter, Act("ann", node.ports.clock.now_s(), "nobody waits for it")))
        again = await node.client.ask(command, timeout=60.0, message_id=id)
        assert f"discarded {id.hex()} by ann: nobody waits for it" in again.fault
        await node.stop()

    in_virtual_time(scenario)
