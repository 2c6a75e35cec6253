"""What a node may have died over runs alone, once its run is counted."""

from __future__ import annotations

import asyncio

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.service import Service, ServiceBehaviour
from runtime.durable.transition import mail_row
from runtime.envelope import encode, message_id, shard_of
from runtime.store.records import MailRow, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time

KEYS = [f"K-{number}" for number in range(6)]
SHARDS = frozenset(range(16))


def mail(number: int, key: str) -> MailRow:
    envelope = encode(
        id=message_id(0.0, b"", number, f"billing/{key}"),
        kind="billing",
        key=key,
        type="shop.BillOrder",
        body=BillOrder(order_id=key).SerializeToString(),
        conversation=key.encode().ljust(16, b"-"),
        sent_at_s=number / 1000,
        sequence=number,
    )
    return mail_row(envelope, shard_of(key, 16))


def watched(running: list[int], most: list[int]) -> type[Service]:
    class Watched(Service, kind="billing", state=BillState):
        state: BillState

        async def bill(self, command: BillOrder) -> OrderBilled:
            running.append(1)
            most.append(len(running))
            await asyncio.sleep(1)
            running.pop()
            self.state.charges += 1
            return OrderBilled(order_id=command.order_id)

    return Watched


async def taken_over(died: dict[int, str]) -> tuple[int, list[str]]:
    """How many ran at a time at most, and the trials that the history knows of."""
    most: list[int] = []
    node = LocalNode([ServiceBehaviour(watched([], most))])
    await node.start(owning=False)
    await node.store.commit([Transition(mail=tuple(mail(number, KEYS[number % 6]) for number in range(12)))])
    await node.region.sweepers["billing"].take_over(SHARDS, died)
    await node.sleep(60)
    for key in KEYS:
        assert BillState.FromString((await node.row("billing", key)).state).charges == 2
        assert await node.mail("billing", key) == []
    history = [row for key in KEYS for row in await node.store.conversation(key.encode().ljust(16, b"-"))]
    await node.stop()
    assert [row.attempts for row in history if row.type != "trial"] == [1] * 12, "a death is no failure of theirs"
    return max(most), [row.error for row in history if row.type == "trial"]


def test_after_a_death_messages_run_one_at_a_time_each_counted_before_it_runs() -> None:
    async def test() -> None:
        at_once, trials = await taken_over(dict.fromkeys(range(16), "gone@1"))
        assert at_once == 1
        assert len(trials) == 12 and all("node gone@1 ended" in told for told in trials)

    in_virtual_time(test)


def test_where_a_node_left_in_order_nothing_is_counted_and_actors_run_side_by_side() -> None:
    async def test() -> None:
        at_once, trials = await taken_over({})
        assert at_once == len(KEYS)
        assert trials == []

    in_virtual_time(test)
