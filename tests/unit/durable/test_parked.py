"""A dead letter does not run once its sender was told that it failed, whoever still has a copy of its push."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.durable.kind import MessageParked
from runtime.envelope import Envelope
from runtime.errors import FinalError
from runtime.store.records import MailRow, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


async def parked(till: Till) -> tuple[LocalNode, Post, Envelope, MailRow]:
    """A node, and a dead letter of it."""
    till.broken.add(1)
    local = await LocalNode([till]).start()
    post = Post(local)
    first = post.bill(1)
    await post.send(first)
    await local.sleep(60)
    [letter] = await local.mail("billing", "ORD-1")
    assert letter.parked
    till.broken.clear()
    return local, post, first, letter


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_late_copy_of_a_push_does_not_run_a_dead_letter(is_elsewhere: bool) -> None:
    """On the node that parked it, and on one that knows nothing of it."""

    async def scenario() -> None:
        local, post, first, letter = await parked(Till())
        if is_elsewhere:
            other = await LocalNode([Till()], local.store).start()
            late = Post(other)
        else:
            other, late = local, post
        await late.push(first)
        await other.sleep(60)
        assert await local.mail("billing", "ORD-1") == [letter]
        second = post.bill(2)
        await post.store(second)
        await late.push(first, second)
        await other.sleep(60)
        assert await local.mail("billing", "ORD-1") == [letter]
        assert await post.order() == ["2"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_late_copy_that_fails_once_more_does_not_set_a_dead_letter_free() -> None:
    async def scenario() -> None:
        local, _, first, letter = await parked(Till())
        other = await LocalNode([Till(broken={1})], local.store).start()
        await Post(other).push(first)
        await other.sleep(60)
        assert await local.mail("billing", "ORD-1") == [letter]
        await local.stop()

    in_virtual_time(scenario)


def test_s60_a_dead_letter_that_was_replayed_runs() -> None:
    async def scenario() -> None:
        local, post, _, letter = await parked(Till())
        free = replace(letter, parked="", parked_at_s=0.0, attempts=1)
        assert await local.store.commit(
            [Transition(address=letter.address, shard=letter.shard, rescheduled=(free,))]
        ) == [Verdict.COMMITTED]
        await local.sleep(60)
        assert await post.order() == ["1"]
        await local.stop()

    in_virtual_time(scenario)


def test_s67_the_undo_of_a_dead_letter_lays_it_to_rest() -> None:
    async def scenario() -> None:
        local, post, first, _ = await parked(Till())
        await post.send(post.refund(first))
        await local.sleep(1)
        assert await local.mail("billing", "ORD-1") == []
        assert (await post.state()).refunds == 1
        await post.push(first)
        await local.sleep(60)
        assert (await post.state()).charges == 0
        await local.stop()

    in_virtual_time(scenario)


def test_nobody_is_told_of_a_dead_letter_that_the_store_has_refused() -> None:
    """A push of what nobody has committed: its turn is refused, so there is no letter to be looked at."""

    async def scenario() -> None:
        local = await LocalNode([Till(errors={1: FinalError("no such till"), 2: FinalError("no such till")})]).start()
        post = Post(local)
        await post.push(post.bill(1))
        await local.sleep(60)
        assert (local.facts_of(MessageParked), await local.mail("billing", "ORD-1")) == ([], [])
        await post.send(post.bill(2))
        await local.sleep(60)
        assert [fact.error for fact in local.facts if isinstance(fact, MessageParked)] == ["FinalError: no such till"]
        assert len(await local.mail("billing", "ORD-1")) == 1
        await local.stop()

    in_virtual_time(scenario)
