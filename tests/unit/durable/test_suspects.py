"""What a node may have died over runs alone, once its run is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.kind import Limits
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.envelope import Envelope, message_id, shard_of
from runtime.operate.dead_letters import Act, carry_out, dead_letters, replay
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time

KEYS = [f"K-{number}" for number in range(6)]
SHARDS = frozenset(range(16))


def mail(number: int, key: str) -> MailRow:
    envelope = Envelope(
        id=message_id(0.0, b"", number, f"billing/{key}"),
        kind="billing",
        key=key,
        type="shop.BillOrder",
        body=BillOrder(order_id=key).SerializeToString(),
        conversation=key.encode().ljust(16, b"-"),
        sent_at_s=number / 1000,
        sequence=number,
    )
    return MailRow.of(envelope, shard_of(key, 16))


def watched(running: list[int], most: list[int]) -> type[Service[Any]]:
    class WatchedSuspects(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            running.append(1)
            most.append(len(running))
            await asyncio.sleep(1)
            running.pop()
            self.state.charges += 1
            return OrderBilled(order_id=command.order_id)

    return WatchedSuspects


async def taken_over(died: dict[int, str]) -> tuple[int, list[str]]:
    """How many ran at a time at most, and the trials that the history knows of."""
    most: list[int] = []
    node = LocalNode([ServiceBehaviour(watched([], most))])
    await node.start(owning=False)
    await node.store.commit([Transition(mail=tuple(mail(number, KEYS[number % 6]) for number in range(12)))])
    sweeper = node.shards.sweepers["billing"]
    await sweeper.ownership.take_over(SHARDS, sweeper.read_everything, died)
    await node.sleep(60)
    for key in KEYS:
        assert BillState.FromString((await node.row("billing", key)).state).charges == 2
        assert await node.mail("billing", key) == []
    history = [row for key in KEYS for row in await node.store.conversation(key.encode().ljust(16, b"-"))]
    await node.stop()
    assert [row.attempts for row in history if row.type != "trial"] == [1] * 12, "a death is no failure of theirs"
    return max(most), [row.error for row in history if row.type == "trial"]


def test_what_comes_while_the_shards_of_a_dead_node_are_taken_is_no_suspect() -> None:
    """Nobody has run it yet. With many clients that ask again there would never be an end to suspects."""

    async def test() -> None:
        node = LocalNode([ServiceBehaviour(watched([], []))])
        await node.start(owning=False)
        await node.store.commit([Transition(mail=(mail(1, "K-0"),))])
        sweeper, late = node.shards.sweepers["billing"], [mail(2, "K-1")]

        async def read(shards: list[int]) -> None:
            await sweeper.read_everything(shards)
            for row in late[:]:
                await node.store.commit([Transition(mail=(row,))])
                await node.router.on_pushes("peer", [row.envelope], False)
            late.clear()

        await sweeper.ownership.take_over(SHARDS, read, dict.fromkeys(range(16), "gone@1"))
        await node.sleep(5)
        rows = [row for key in ("K-0", "K-1") for row in await node.store.conversation(key.encode().ljust(16, b"-"))]
        assert sorted((row.key, row.type) for row in rows) == [
            ("K-0", "shop.BillOrder"),
            ("K-0", "trial"),
            ("K-1", "shop.BillOrder"),
        ]
        await node.stop()

    in_virtual_time(test)


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


class Patient(Service[BillState], kind="billing", retries=RetryPolicy(immediate=0, delays=(5.0,) * 9, jitter=0)):
    """Fails over its one message while it is told to."""

    fails: ClassVar[bool] = True
    hangs: ClassVar[bool] = False
    runs: ClassVar[int] = 0

    async def bill(self, command: BillOrder) -> OrderBilled:
        Patient.runs += 1
        if self.hangs:
            await asyncio.sleep(1e6)
        if self.fails:
            raise ValueError("the bank is closed")
        self.state.charges += 1
        return OrderBilled(order_id=command.order_id)


@pytest.fixture
def _patient() -> Iterator[None]:
    Patient.fails, Patient.hangs, Patient.runs = True, False, 0
    yield


async def die(store: MemoryStore | None, lives_s: float, limits: Limits | None = None) -> LocalNode:
    """A node takes over from one that died, and dies in its turn after a while: nothing of it is heard any more."""
    node = LocalNode([ServiceBehaviour(Patient)], store, limits or Limits(handler_timeout_s=1e9))
    await node.start(owning=False)
    if store is None:
        await node.store.commit([Transition(mail=(mail(1, "K-0"),))])
    sweeper = node.shards.sweepers["billing"]
    await sweeper.ownership.take_over(SHARDS, sweeper.read_everything, dict.fromkeys(range(16), "gone@1"))
    await node.sleep(lives_s)
    await node.stop()
    return node


async def the_row(node: LocalNode) -> MailRow:
    (row,) = await node.mail("billing", "K-0")
    return row


@pytest.mark.usefixtures("_patient")
def test_a_run_that_fails_while_its_node_lives_takes_back_the_deaths_before_it() -> None:
    async def test() -> None:
        node = await die(None, 1)
        for runs in range(2, 7):
            row = await the_row(node)
            assert (row.attempts, row.parked) == (runs - 1, "")
            await node.sleep(5)
            node = await die(node.store, 1)
        assert Patient.runs == 6, "many nodes have died, none of them over this message"
        Patient.fails = False
        await node.sleep(5)
        node = await die(node.store, 1)
        assert await node.mail("billing", "K-0") == []
        assert BillState.FromString((await node.row("billing", "K-0")).state).charges == 1

    in_virtual_time(test)


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("failed_before", [0, 5])
def test_as_many_deaths_on_end_park_a_message_however_often_it_has_failed_before(failed_before: int) -> None:
    async def test() -> None:
        node = await die(None, 0.5)
        for _ in range(failed_before):
            await node.sleep(6)
            node = await die(node.store, 0.5)
        await node.sleep(6)
        Patient.hangs = True
        before = Patient.runs
        for _ in range(2):
            node = await die(node.store, 0.5)
            row = await the_row(node)
            assert (row.attempts, row.parked) == (failed_before + 1, "")
        node = await die(node.store, 0.5)
        row = await the_row(node)
        assert "3 nodes have ended while it may have run: gone@1, gone@1, gone@1" in row.parked
        assert row.attempts == failed_before + 1
        assert Patient.runs == before + 2

    in_virtual_time(test)


@pytest.mark.usefixtures("_patient")
def test_a_message_that_was_parked_for_deaths_and_is_replayed_has_a_budget_of_deaths_again() -> None:
    async def test() -> None:
        Patient.hangs = True
        node = await die(None, 0.5)
        for _ in range(2):
            node = await die(node.store, 0.5)
        (letter,) = await dead_letters(node.store, limit=9)
        assert letter.row.attempts == 1, "it may have run in part, and an undo has to know"
        await carry_out(node.store, replay(letter, Act("ann", 0.0, "mended")))
        for _ in range(2):
            node = await die(node.store, 0.5)
            assert (await the_row(node)).parked == ""
        node = await die(node.store, 0.5)
        assert "3 nodes have ended while it may have run" in (await the_row(node)).parked

    in_virtual_time(test)
