"""What a handler hands to services outside as the key of its call is the same however often the message is run."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, RefundOrder
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from tests.unit.durable.local import LocalNode, in_virtual_time

RETRIES = RetryPolicy(immediate=1, delays=(1.0, 5.0), jitter=0.0)


@pytest.mark.parametrize("by_timer", [False, True])
def test_every_run_of_one_message_has_the_same_id_though_it_is_retried_later(by_timer: bool) -> None:
    keys: list[bytes] = []

    class Provider(Service[BillState], kind="billing", retries=RETRIES):
        async def charge(self, command: BillOrder) -> OrderBilled:
            keys.append(self.message_id)
            if len(keys) < 5:
                raise RuntimeError("no answer from the provider")
            return OrderBilled(order_id=self.key)

        async def later(self, command: RefundOrder) -> None:
            self.set_timer("charge", 3.0, BillOrder(order_id=self.key))

    async def scenario() -> None:
        node = await LocalNode([ServiceBehaviour(Provider)]).start()
        first = RefundOrder(order_id="ORD-1") if by_timer else BillOrder(order_id="ORD-1")
        await node.send(first)
        await node.sleep(30.0)
        assert len(keys) == 5
        assert len(set(keys)) == 1, "a provider would have taken each run for a call of its own"
        await node.stop()

    in_virtual_time(scenario)
