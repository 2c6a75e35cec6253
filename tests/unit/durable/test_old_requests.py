"""A request that is sent again when it may have been forgotten is refused: nobody can tell whether it was handled."""

from __future__ import annotations

import pytest

from actors.billing import Billing
from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.kind import Limits
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.errors import MessageTooOld
from tests.unit.durable.local import LocalNode, in_virtual_time

RETENTION_S = 100.0
BILL = BillOrder(order_id="ORD-1", amount_cents=5)


def id_of(at_s: float, number: int = 1) -> bytes:
    return int(at_s * 1000).to_bytes(6, "big") + bytes(9) + bytes([number])


async def a_node() -> LocalNode:
    limits = Limits(shards_per_kind=1, retention_s=RETENTION_S)
    return await LocalNode([ServiceBehaviour(Billing)], limits=limits).start()


async def charges(node: LocalNode) -> int:
    return BillState.FromString((await node.row("billing", "ORD-1")).state).charges


@pytest.mark.broken_by("old-request-is-new")
def test_s43_a_request_older_than_the_retention_is_refused_and_not_applied_again() -> None:
    async def scenario() -> None:
        node = await a_node()
        id = id_of(node.ports.clock.now_s())
        assert await node.send(BILL, message_id=id) is not None
        revision = (await node.row("billing", "ORD-1")).revision
        await node.sleep(4 * RETENTION_S)
        assert await node.store.handled([(id, id)]) == [None], "it is not even forgotten"
        with pytest.raises(MessageTooOld, match="whether it was handled is no longer known"):
            await node.send(BILL, message_id=id)
        assert await node.mail("billing", "ORD-1") == []
        assert ((await node.row("billing", "ORD-1")).revision, await charges(node)) == (revision, 1)
        await node.stop()

    in_virtual_time(scenario)


def test_a_request_within_the_retention_is_remembered_however_slowly_it_is_posted() -> None:
    async def scenario() -> None:
        node = await a_node()
        id = id_of(node.ports.clock.now_s())
        assert await node.send(BILL, message_id=id) is not None
        await node.sleep(RETENTION_S + 50.0)  # as long as a post may hang that was let in at the last moment
        assert await node.store.handled([(id, id)]) != [None]
        await node.stop()

    in_virtual_time(scenario)


def test_an_id_without_a_time_is_never_too_old() -> None:
    async def scenario() -> None:
        node = await a_node()
        assert await node.send(BILL, message_id=b"\xff" * 16) is not None
        await node.stop()

    in_virtual_time(scenario)
