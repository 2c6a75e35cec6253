"""A kind for which very much waits does not keep another kind of the same node from its work."""

from __future__ import annotations

import asyncio

import pytest

from protos.billing_pb2 import BillOrder
from runtime.durable.kind import Limits
from runtime.envelope import shard_of
from runtime.store.records import MailRow, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

_CROWD = 3_000
_IN_MEMORY = 100


async def crowd_waits(local: LocalNode, *, actors: int) -> None:
    rows = []
    posts = [Post(local, f"ORD-{number}") for number in range(actors)]
    for number in range(_CROWD):
        post = posts[number % actors]
        rows.append(MailRow.of(post.bill(1), shard_of(post.key, local.limits.shards_per_kind)))
    assert await local.store.commit([Transition(mail=tuple(rows))]) == [Verdict.COMMITTED]


@pytest.mark.parametrize("actors", [_CROWD, 10], ids=["one-for-each-of-many-actors", "many-for-each-of-a-few-actors"])
def test_a_command_of_another_kind_waits_for_no_more_than_what_is_in_memory(actors: int) -> None:
    """Counted in messages: how many of the crowd are handled between a command and its answer."""

    async def run() -> None:
        busy, calm = Till(), Till(kind="audit")
        limits = Limits(activations_max=_IN_MEMORY, turn_messages_max=8, mailbox_max=50, sweep_s=0.2)
        local = LocalNode([busy, calm], limits=limits)
        await crowd_waits(local, actors=actors)
        await local.start()
        waited, left = [], []
        for number in range(20):
            before = len(busy.runs)
            await local.send(BillOrder(order_id=f"CALM-{number}", amount_cents=2), kind="audit")
            waited.append(len(busy.runs) - before)
            left.append(_CROWD - len(busy.runs))
            await local.sleep(0.01)
        assert len(calm.runs) == 20
        assert left[0] > _CROWD / 2 and left[0] > left[-1], "the crowd was at work all the while"
        assert max(waited) <= 3 * _IN_MEMORY * (8 if actors < _IN_MEMORY else 1)
        await local.sleep(60.0)
        assert len(busy.runs) == _CROWD
        await local.stop()

    in_virtual_time(run)


def test_late_timers_and_mail_of_one_kind_leave_the_others_mail_alone() -> None:
    """The crowd hangs, all of it that may be at work at once; another kind goes on."""

    async def run() -> None:
        busy, calm = Till(hangs={1: asyncio.Event()}), Till(kind="audit")
        local = LocalNode([busy, calm], limits=Limits(sweep_s=0.2))
        await crowd_waits(local, actors=_CROWD)
        await local.start()
        await local.sleep(5.0)
        for number in range(20):
            await local.send(BillOrder(order_id=f"CALM-{number}", amount_cents=2), kind="audit")
        assert len(calm.runs) == 20
        assert 0 < len(busy.runs) < 100
        await local.stop()

    in_virtual_time(run)
