"""What a command answers after an operator has replayed it reaches who asked, though its fault was told before."""

from __future__ import annotations

import pytest

from runtime.envelope import decode, shard_of
from runtime.store.records import Verdict
from tests.unit.durable.ledger import LedgerBench, bill, refund

SAGA = "order-process/ORD-1"


async def told(bench: LedgerBench) -> list[str]:
    """What waits for the saga."""
    shard = shard_of("ORD-1", bench.kind.limits.shards_per_kind)
    rows = await bench.store.waiting_for(("order-process", "ORD-1"), shard, limit=9)
    return sorted(decode(row.envelope).type for row in rows)


@pytest.mark.broken_by("fault-and-answer-share-an-id")
async def test_s60_the_answer_of_a_replayed_command_does_not_die_as_a_copy_of_its_fault() -> None:
    bench = await LedgerBench.open()
    spoiled = bill(1, sku="final", reply_to=SAGA)
    await bench.run(spoiled)
    assert await told(bench) == ["amends.Fault"]
    mended = bill(1, id=spoiled.id, sent_at_s=spoiled.sent_at_s, reply_to=SAGA)
    await bench.set_free(spoiled)
    assert await bench.commit(await bench.turn(mended, attempts={spoiled.id: 1})) is Verdict.COMMITTED
    assert await told(bench) == ["amends.Fault", "shop.OrderBilled"]


async def test_s60_an_undo_that_has_nothing_to_do_when_it_is_replayed_says_so_though_it_was_given_up_before() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    undo = refund(2, of=do, reply_to=SAGA, type="shop.Nothing")
    await bench.run(undo)
    assert await told(bench) == ["amends.Fault"]
    mended = refund(2, of=do, id=undo.id, sent_at_s=undo.sent_at_s, reply_to=SAGA)
    await bench.set_free(undo)
    assert await bench.commit(await bench.turn(mended, attempts={undo.id: 1})) is Verdict.COMMITTED
    assert await told(bench) == ["amends.Fault", "amends.Undone"]
