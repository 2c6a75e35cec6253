"""A push that is replayed to a later owner of its shard: what the one before has handled or undone runs no more."""

from __future__ import annotations

import pytest

from runtime.durable.kind import Limits
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

LIMITS = Limits(sweep_s=600.0)  # no sweep helps


@pytest.mark.parametrize("came", [True, False])
def test_a_do_that_the_owner_before_has_undone_is_not_run_by_a_push_that_comes_again(came: bool) -> None:
    async def scenario() -> None:
        its, later = Till(), Till()
        first = await LocalNode([its], None, LIMITS).start()
        await first.sleep(1.0)
        post = Post(first)
        do = post.bill(1)
        undo = post.refund(do)
        for envelope in (do, undo) if came else (undo,):
            await post.send(envelope)
            await first.sleep(0.1)
        assert its.runs == [1] * came
        await first.stop()
        await first.sleep(1.0)
        second = await LocalNode([later], first.store, LIMITS).start()
        await second.router.on_pushes("peer", [do.encoded], False)
        await second.sleep(1.0)
        assert later.runs == [], "its undo is committed, and the store tells"
        await second.stop()

    in_virtual_time(scenario)


def test_a_push_that_is_older_than_its_owner_and_still_waits_is_handled_at_once() -> None:
    async def scenario() -> None:
        its = Till()
        local = await LocalNode([its], None, LIMITS).start(owning=False)
        post = Post(local)
        bills = [post.bill(amount) for amount in (1, 2)]
        await local.sleep(1.0)
        await local.shards.take_over("billing", frozenset(range(LIMITS.shards_per_kind)))
        await post.send(*bills)  # decided before, committed after the take-over had read
        await local.sleep(0.1)
        assert its.runs == [1, 2]
        await local.stop()

    in_virtual_time(scenario)
