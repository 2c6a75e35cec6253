"""One act on many sagas: chosen once, each with its own outcome, and resumed without doing anything twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.envelope import shard_of
from runtime.errors import InvalidMessage
from runtime.operate.repair_runs import KIND, begin
from runtime.operate.run import KeptRun
from runtime.operate.runs import carry_on, kept_run
from runtime.operate.survey import Wanted
from runtime.protos.saga_pb2 import RepairRun, RepairSaga, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import fill, id_of, row_of
from tests.unit.saga.shop import ShopProcess
from tests.unit.saga.test_repair import undo_stuck

STUCK = Wanted(statuses=("stuck",))
ACT = RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill", who="ann", reason="paid back")


def rows(*keys: str, shards: int = 16) -> list[ActorRow]:
    record = SagaRecord.FromString(undo_stuck().record.SerializeToString())
    found = []
    for number, key in enumerate(keys):
        record.conversation = id_of(100 + number + sum(key.encode()))
        found.append(replace(row_of(record, key), shard=shard_of(key, shards)))
    return found


async def record_of(node: LocalNode, key: str) -> SagaRecord:
    return SagaRecord.FromString((await node.row("order-process", key)).state)


async def run_of(node: LocalNode, *, limit: int = 10) -> KeptRun:
    return await begin(node.store, "refunds", ACT, STUCK, limit=limit, now_s=node.ports.clock.now_s())


@pytest.mark.broken_by("stale-act-is-done")
def test_s138_what_fits_later_is_left_alone_and_each_saga_has_its_outcome() -> None:
    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(ShopProcess)]).start()
        await fill(node.store, *rows("A", "B", "C", shards=node.limits.shards_per_kind))
        kept = await run_of(node)
        await fill(node.store, *rows("LATER", shards=node.limits.shards_per_kind))
        assert isinstance(kept.record, RepairRun)
        kept.record.items[1].revision = 1  # as if it had moved since
        kept = await carry_on(node.store, kept, node.ports.clock, wait_s=60.0)
        assert [(one.handled, one.refusal[:26]) for one in kept.record.items] == [
            (True, ""),
            (True, "mark-undone refused: it is"),
            (True, ""),
        ]
        assert (await record_of(node, "LATER")).status == (await record_of(node, "B")).status == SagaRecord.STUCK
        assert (await record_of(node, "A")).status == SagaRecord.COMPENSATING
        assert (await kept_run(node.store, KIND, "refunds")).record == kept.record
        await node.stop()

    in_virtual_time(scenario)


def test_a_run_that_nobody_handled_is_resumed_and_nothing_is_done_twice() -> None:
    async def scenario() -> None:
        node = LocalNode([SagaBehaviour(ShopProcess)])
        await fill(node.store, *rows("A", "B", shards=node.limits.shards_per_kind))
        kept = await run_of(node)
        for _ in range(2):  # its process was ended, and begun again
            kept = await carry_on(node.store, await kept_run(node.store, KIND, "refunds"), node.ports.clock, wait_s=0.5)
            assert kept.left == 2
        await node.start()
        kept = await carry_on(node.store, kept, node.ports.clock, wait_s=60.0)
        assert [(one.handled, one.refusal) for one in kept.record.items] == [(True, "")] * 2
        again = await kept_run(node.store, KIND, "refunds")
        for item in again.record.items:
            item.handled = False  # as a process knows them that was ended before it wrote them down
        kept = await carry_on(node.store, again, node.ports.clock, wait_s=60.0)
        assert [(one.handled, one.refusal) for one in kept.record.items] == [(True, "")] * 2
        for key in ("A", "B"):
            assert len((await record_of(node, key)).repairs) == 1
        await node.stop()

    in_virtual_time(scenario)


async def test_a_name_is_used_once(store: MemoryStore) -> None:
    await fill(store, *rows("A"))
    await begin(store, "refunds", ACT, STUCK, limit=10, now_s=1.0)
    with pytest.raises(InvalidMessage, match="there is a run 'refunds' already: resume it"):
        await begin(store, "refunds", ACT, STUCK, limit=10, now_s=2.0)
