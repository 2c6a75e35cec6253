"""A take-over ends, however much waits: mail that is not due yet, and mail for actors that cannot take it."""

from __future__ import annotations

import asyncio

import pytest

from runtime.durable.kind import Limits
from runtime.store.records import MailRow, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

_MANY = 8_500  # more than one look reads


@pytest.mark.parametrize("due_in_s", [0.0, 86_400.0])
def test_a_take_over_ends_over_more_mail_than_one_look_reads(due_in_s: float) -> None:
    """Of an actor that hangs over its first message, or not due before tomorrow; and others go on meanwhile."""

    async def scenario() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local = await LocalNode([till], limits=Limits(sweep_s=3_600.0)).start(owning=False)
        crowd, other = Post(local, "ORD-1"), Post(local, "ORD-2")
        due_at_s = local.ports.clock.now_s() + due_in_s if due_in_s else 0.0
        rows = tuple(MailRow.of(crowd.bill(1, due_at_s=due_at_s), crowd.shard) for _ in range(_MANY))
        assert await local.store.commit([Transition(mail=rows)]) == [Verdict.COMMITTED]
        await local.sleep(1)
        await other.store(other.bill(2))
        everything = frozenset(range(local.limits.shards_per_kind))
        await asyncio.wait_for(local.shards.take_over("billing", everything), 60)
        await other.send(other.bill(3))
        await local.sleep(1)
        assert await other.order() == ["2", "3"]
        assert till.runs.count(1) == (0 if due_in_s else 1)
        await local.stop()

    in_virtual_time(scenario)
