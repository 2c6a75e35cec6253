"""`retry-saga` posts a message to a stuck saga, which a running node finds and the conversation shows."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.envelope import shard_of
from runtime.operate.dead_letters import Act, carry_out
from runtime.operate.retries import try_again
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, Expected, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import SAGA, TALK, fill, saga
from tests.unit.saga.test_retry import BrokenUntilRetried, Mended, stuck


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


def test_a_saga_that_is_not_stuck_or_not_there_is_refused_in_words(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga(status=SAGA.RUNNING)))
    refused = run(store, "retry-saga", "order-process/ORD-1", "--reason", "mended")
    assert refused.exit_code == 5
    assert "order-process/ORD-1 is running, not stuck" in refused.output
    missing = run(store, "retry-saga", "order-process/ORD-9", "--reason", "mended")
    assert missing.exit_code == 4
    assert "there is no saga order-process/ORD-9" in missing.output
    assert run(store, "retry-saga", "order-process/ORD-1").exit_code == 2, "why is for the record"


def test_a_stuck_saga_gets_the_message_and_the_conversation_shows_it(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga(status=SAGA.STUCK, stuck_reason="undo of step bill")))
    done = run(store, "retry-saga", "order-process/ORD-1", "--reason", "mended", "--who", "ann")
    assert done.exit_code == 0, done.output
    assert "RetrySaga" in run(store, "conversation", "ORD-1").output


def test_a_running_node_finds_the_message_and_the_saga_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    story = stuck(monkeypatch, "undo")
    record = SagaRecord.FromString(story.record.SerializeToString())
    record.conversation = TALK

    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(Mended)]).start()
        row = ActorRow(
            kind="mended",
            key="ORD-1",
            shard=shard_of("ORD-1", node.limits.shards_per_kind),
            revision=1,
            last_id=bytes(16),
            conversation=TALK,
            state_type=SagaRecord.DESCRIPTOR.full_name,
            state=record.SerializeToString(),
            timers=b"",
            due_at_s=None,
            updated_at_s=0.0,
        )
        await carry_out(node.store, Transition(actor=row, expected=Expected(0, b"")))
        monkeypatch.setattr(BrokenUntilRetried, "where", "nothing to undo")
        await try_again(node.store, ("mended", "ORD-1"), Act("ann", node.ports.clock.now_s(), "mended"))
        await node.sleep(30.0)
        now = SagaRecord.FromString((await node.row("mended", "ORD-1")).state)
        assert now.status == SagaRecord.COMPENSATING, "it says what became of it to those concerned"
        await node.stop()

    in_virtual_time(scenario)
