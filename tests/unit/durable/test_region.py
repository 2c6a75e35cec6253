"""Durable actors of one node as a whole: what comes in is handled once, in order, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import ClassVar

import pytest

from protos import billing_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import OrderLine
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.kind import Limits, MessageParked
from runtime.durable.region.kind_actor import AskKindStatus, KindStatus, PauseKind, ResumeKind
from runtime.durable.residence.admission import KindRecovered, KindThrottled
from runtime.durable.residence.memory import ActivationReloaded
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.turn.unhandled import HandlerFailed
from runtime.envelope import Envelope, message_id, shard_of
from runtime.errors import DeadlineExceeded, InvalidMessage, MessageTooLarge
from runtime.protos import durable_pb2
from runtime.store.memory import MemoryStore
from runtime.store.records import Expected, MailRow, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time


class JammedTill(Service[BillState], kind="billing", retries=RetryPolicy(immediate=1, delays=(5.0, 30.0), jitter=0)):
    """Counts charges, keeps the order in which amounts came in `reason`, and fails when `broken` holds the key."""

    broken: ClassVar[set[str]] = set()
    runs: ClassVar[list[int]] = []

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        JammedTill.runs.append(command.amount_cents)
        if self.key in self.broken and command.amount_cents >= 0:
            raise RuntimeError("the till is jammed")
        self.state.charges += 1
        self.state.reason += f"{command.amount_cents} "
        if command.line.sku == "later":
            self.set_timer("again", 20.0, BillOrder(order_id=self.key, amount_cents=7))
        return OrderBilled(order_id=self.key, amount_cents=command.amount_cents)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        self.state.refunds += 1
        self.cancel_timer("again")
        return OrderRefunded(order_id=self.key)

    async def tick(self, command: durable_pb2.TimerFired) -> None:
        self.state.reason += "tick "


@pytest.fixture(autouse=True)
def _fresh() -> None:
    JammedTill.broken = set()
    JammedTill.runs = []


def bill(key: str = "ORD-1", amount: int = 1, sku: str = "") -> BillOrder:
    return BillOrder(order_id=key, amount_cents=amount, line=OrderLine(sku=sku))


async def node(store: MemoryStore | None = None, limits: Limits | None = None, *, owning: bool = True) -> LocalNode:
    return await LocalNode([ServiceBehaviour(JammedTill)], store, limits).start(owning=owning)


async def state(local: LocalNode, key: str = "ORD-1") -> BillState:
    return BillState.FromString((await local.row("billing", key)).state)


async def store_mail(local: LocalNode, *commands: BillOrder, first: int = 0) -> None:
    """Put mail into the store that nobody pushes."""
    now_s = local.ports.clock.now_s()
    rows = []
    for number, command in enumerate(commands, first):
        envelope = Envelope(
            id=message_id(now_s, b"stored", number, "billing"),
            kind="billing",
            key=command.order_id,
            type="shop.BillOrder",
            body=command.SerializeToString(),
            conversation=b"k" * 16,
            sender="tests/x",
            sequence=number,
            sent_at_s=now_s,
        )
        rows.append(MailRow.of(envelope, shard_of(command.order_id, local.limits.shards_per_kind)))
    await local.store.commit([Transition(mail=tuple(rows))])


def test_a_command_is_answered_after_its_commit() -> None:
    async def scenario() -> None:
        local = await node()
        assert await local.send(bill(amount=5)) == OrderBilled(order_id="ORD-1", amount_cents=5)
        assert (await state(local)).charges == 1
        assert await local.mail("billing", "ORD-1") == []
        await local.stop()

    in_virtual_time(scenario)


def test_s27_commands_sent_at_once_all_count_exactly_once() -> None:
    async def scenario() -> None:
        local = await node()
        await asyncio.gather(*(local.send(bill(amount=n)) for n in range(200)))
        row = await local.row("billing", "ORD-1")
        assert BillState.FromString(row.state).charges == 200
        assert row.revision < 200, "turns take several messages"
        await local.stop()

    in_virtual_time(scenario)


def test_s37_the_same_message_id_again_has_one_effect_and_is_answered() -> None:
    async def scenario() -> None:
        local = await node()
        first = await local.client.ask(bill(), timeout=10, message_id=b"x" * 16)
        again = await local.client.ask(bill(), timeout=10, message_id=b"x" * 16)
        assert (first.message, again.message, again.fault) == (OrderBilled(order_id="ORD-1", amount_cents=1), None, "")
        assert (await state(local)).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_s38_mail_that_nobody_pushed_is_found_after_a_crash_in_the_order_sent() -> None:
    async def scenario() -> None:
        first = await node(owning=False)
        await store_mail(first, *(bill(amount=n) for n in range(10)))
        await first.stop()
        second = await node(first.store)
        await second.sleep(0.5)
        assert (await state(second)).reason.split() == [str(n) for n in range(10)]
        await second.stop()

    in_virtual_time(scenario)


def test_a_sweep_finds_what_a_lost_push_left_in_the_store() -> None:
    async def scenario() -> None:
        local = await node()
        await store_mail(local, bill())
        await local.sleep(4)
        assert (await state(local)).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_a_full_mailbox_costs_time_and_no_message_and_keeps_the_order() -> None:
    async def scenario() -> None:
        local = await node(limits=Limits(mailbox_max=8, turn_messages_max=4))
        await store_mail(local, *(bill(amount=n) for n in range(100)))
        mail = await local.mail("billing", "ORD-1")
        await local.router.on_pushes("peer", [row.envelope for row in mail], False)
        await local.sleep(1)
        assert (await state(local)).reason.split() == [str(n) for n in range(100)]
        await local.stop()

    in_virtual_time(scenario)


def test_s36_s55_s56_a_failing_message_holds_back_its_own_actor_only_and_is_retried_with_pauses() -> None:
    async def scenario() -> None:
        local = await node()
        JammedTill.broken = {"ORD-1"}
        await store_mail(local, bill(amount=1), bill(amount=2))
        await local.router.on_pushes("peer", [row.envelope for row in await local.mail("billing", "ORD-1")], False)
        assert await local.send(bill("ORD-2")) is not None
        assert [row.attempts for row in await local.mail("billing", "ORD-1")] == [2, 0]
        await local.sleep(6)
        assert [row.attempts for row in await local.mail("billing", "ORD-1")] == [4, 0]
        JammedTill.broken = set()
        await local.sleep(60)
        assert (await state(local)).reason.split() == ["1", "2"]
        assert len(local.facts_of(HandlerFailed)) == 2
        await local.stop()

    in_virtual_time(scenario)


def test_s55_after_all_retries_the_message_is_parked_and_what_waits_behind_it_goes_on() -> None:
    async def scenario() -> None:
        local = await node()
        JammedTill.broken = {"ORD-1"}
        waiting = asyncio.gather(
            local.client.ask(bill(amount=1), timeout=200),
            local.client.ask(bill(amount=-2), timeout=200),
        )
        failed, fine = await waiting
        assert "the till is jammed" in failed.fault
        assert fine.message == OrderBilled(order_id="ORD-1", amount_cents=-2)
        assert JammedTill.runs.count(1) == JammedTill.retries.runs_max == 6
        (parked,) = await local.mail("billing", "ORD-1")
        assert "the till is jammed" in parked.parked
        assert len(local.facts_of(MessageParked)) == 1
        await local.stop()

    in_virtual_time(scenario)


def test_a_retry_survives_a_crash_and_still_holds_back_what_came_later() -> None:
    async def scenario() -> None:
        first = await node()
        JammedTill.broken = {"ORD-1"}
        await store_mail(first, bill(amount=1), bill(amount=2))
        await first.sleep(3)
        assert [row.attempts for row in await first.mail("billing", "ORD-1")] == [2, 0]
        await first.stop()
        JammedTill.broken = set()
        second = await node(first.store)
        await second.sleep(1)
        assert 2 not in JammedTill.runs
        await second.sleep(10)
        assert (await state(second)).reason.split() == ["1", "2"]
        await second.stop()

    in_virtual_time(scenario)


def test_an_undo_overtakes_the_retry_of_its_do() -> None:
    async def scenario() -> None:
        local = await node()
        JammedTill.broken = {"ORD-1"}
        await store_mail(local, bill(amount=1))
        await local.sleep(3)
        (do,) = await local.mail("billing", "ORD-1")
        undo = Envelope(
            id=message_id(local.ports.clock.now_s(), b"undo", 1, "billing"),
            kind="billing",
            key="ORD-1",
            type="shop.RefundOrder",
            body=RefundOrder(order_id="ORD-1").SerializeToString(),
            conversation=b"k" * 16,
            sequence=9,
            sent_at_s=local.ports.clock.now_s(),
            undo_of=do.id,
        )
        shard = shard_of("ORD-1", local.limits.shards_per_kind)
        await local.store.commit([Transition(mail=(MailRow.of(undo, shard),))])
        local.router.route(undo)
        await local.sleep(1)
        after = await state(local)
        assert (after.charges, after.refunds) == (0, 1)
        assert await local.mail("billing", "ORD-1") == []
        await local.stop()

    in_virtual_time(scenario)


# --- timers ---


@pytest.mark.broken_by("timer-too-early")
def test_s46_s47_a_timer_fires_once_on_time_with_its_payload() -> None:
    async def scenario() -> None:
        local = await node()
        await local.send(bill(amount=1, sku="later"))
        await local.sleep(19)
        assert (await state(local)).reason.split() == ["1"]
        await local.sleep(1.1)
        assert (await state(local)).reason.split() == ["1", "7"]
        await local.sleep(100)
        assert (await state(local)).charges == 2
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("timer-lost-at-restart")
def test_s51_a_timer_that_fell_due_while_no_node_ran_fires_once_at_start() -> None:
    async def scenario() -> None:
        first = await node()
        await first.send(bill(sku="later"))
        await first.stop()
        await first.sleep(100)
        second = await node(first.store)
        await second.sleep(1)
        assert (await state(second)).charges == 2
        await second.sleep(100)
        assert (await state(second)).charges == 2
        await second.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("cancel-ignored")
def test_s50_a_cancelled_timer_does_not_fire() -> None:
    async def scenario() -> None:
        local = await node()
        await local.send(bill(sku="later"))
        await local.send(RefundOrder(order_id="ORD-1"))
        await local.sleep(60)
        assert (await state(local)).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_i10_a_timer_survives_a_wall_clock_that_goes_back() -> None:
    async def scenario() -> None:
        local = await node()
        await local.send(bill(sku="later"))
        await local.sleep(19)
        clock = local.ports.clock
        clock.offset_s -= 50  # type: ignore[attr-defined]
        await local.sleep(10)
        assert (await state(local)).charges == 1
        await local.sleep(60)
        assert (await state(local)).charges == 2
        await local.stop()

    in_virtual_time(scenario)


# --- memory and limits ---


def test_idle_actors_leave_memory_and_come_back_as_they_were() -> None:
    async def scenario() -> None:
        local = await node()
        for number in range(50):
            await local.send(bill(f"ORD-{number}"))
        residents = local.shards.sweepers["billing"].residents
        assert len(residents) == 50
        await local.sleep(40)
        assert len(residents) == 0
        await local.send(bill("ORD-7"))
        assert (await state(local, "ORD-7")).charges == 2
        await local.stop()

    in_virtual_time(scenario)


def test_the_number_of_actors_in_memory_is_bounded() -> None:
    async def scenario() -> None:
        local = await node(limits=Limits(activations_max=10))
        await asyncio.gather(*(local.send(bill(f"ORD-{number}")) for number in range(200)))
        assert len(local.shards.sweepers["billing"].residents) <= 10
        for number in range(200):
            assert (await state(local, f"ORD-{number}")).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_another_owners_commit_is_noticed_and_nothing_is_lost() -> None:
    async def scenario() -> None:
        one = await node()
        two = await node(one.store)
        await one.send(bill(amount=1))
        await two.send(bill(amount=2))
        await one.send(bill(amount=3))  # its copy in memory is stale now
        assert (await state(one)).reason.split() == ["1", "2", "3"]
        assert len(one.facts_of(ActivationReloaded)) == 1
        await one.stop()
        await two.stop()

    in_virtual_time(scenario)


# --- bad input ---


def test_an_undecodable_row_of_mail_is_parked_with_the_reason_and_the_rest_goes_on() -> None:
    async def scenario() -> None:
        local = await node()
        await store_mail(local, bill(amount=1))
        (row,) = await local.mail("billing", "ORD-1")
        bad = MailRow.of(
            Envelope(id=b"b" * 16, kind="billing", key="ORD-1", type="x", body=b"", conversation=b"k" * 16), row.shard
        )
        await local.store.commit([Transition(mail=(dataclasses.replace(bad, envelope=b"\xff\xff"),))])
        await local.sleep(5)
        assert (await state(local)).charges == 1
        (parked,) = await local.mail("billing", "ORD-1")
        assert "undecodable" in parked.parked
        await local.stop()

    in_virtual_time(scenario)


def test_a_state_that_cannot_be_read_is_left_alone_and_its_mail_parked() -> None:
    async def scenario() -> None:
        local = await node()
        await local.send(bill())
        await local.sleep(40)
        row = await local.row("billing", "ORD-1")
        broken = dataclasses.replace(row, state=b"\xff\xff\xff", revision=2, last_id=b"z" * 16)
        await local.store.commit(
            [
                Transition(
                    actor=broken, expected=Expected(row.revision, row.last_id), address=row.address, shard=row.shard
                )
            ]
        )
        reply = await local.client.ask(bill(), timeout=30)
        assert "the state of billing/ORD-1 cannot be read" in reply.fault
        assert (await local.row("billing", "ORD-1")).state == b"\xff\xff\xff"
        await local.stop()

    in_virtual_time(scenario)


def test_bytes_that_are_no_message_from_a_peer_are_reported_and_the_rest_is_taken() -> None:
    async def scenario() -> None:
        local = await node()
        await store_mail(local, bill())
        (row,) = await local.mail("billing", "ORD-1")
        await local.router.on_pushes("peer", [b"\xff\xff", row.envelope], False)
        await local.sleep(0.1)
        assert (await state(local)).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_a_stray_copy_of_a_push_is_not_applied_however_late_it_comes() -> None:
    async def scenario() -> None:
        local = await node()
        await store_mail(local, bill())
        (row,) = await local.mail("billing", "ORD-1")
        await local.router.on_pushes("peer", [row.envelope], False)
        await local.sleep(60)
        await local.router.on_pushes("peer", [row.envelope] * 3, False)
        await local.sleep(5)
        assert (await state(local)).charges == 1
        await local.stop()

    in_virtual_time(scenario)


def test_a_command_that_is_too_large_or_has_no_key_is_refused_before_it_is_stored() -> None:
    async def scenario() -> None:
        local = await node(limits=Limits(message_bytes_max=100))
        with pytest.raises(MessageTooLarge, match="limit is 100"):
            await local.send(bill(sku="x" * 200))
        with pytest.raises(InvalidMessage, match="needs a key in its field 'order_id'"):
            await local.send(BillOrder())
        with pytest.raises(InvalidMessage, match="is no command"):
            await local.send(billing_pb2.OrderBilled(order_id="ORD-1"))
        assert await local.mail("billing", "ORD-1") == []
        await local.stop()

    in_virtual_time(scenario)


def test_without_an_owner_the_caller_learns_that_the_outcome_is_unknown_and_the_command_is_kept() -> None:
    async def scenario() -> None:
        first = await node(owning=False)
        with pytest.raises(DeadlineExceeded, match="may still be handled"):
            await first.client.ask(bill(), timeout=5)
        await first.stop()
        second = await node(first.store)
        await second.sleep(1)
        assert (await state(second)).charges == 1
        await second.stop()

    in_virtual_time(scenario)


# --- the kind's own actor ---


def test_a_paused_kind_keeps_its_mail_and_takes_it_up_again() -> None:
    async def scenario() -> None:
        local = await node()
        root = local.roots["billing"]
        root.try_tell(PauseKind())
        await local.sleep(0.1)
        waiting = asyncio.ensure_future(local.send(bill()))
        await local.sleep(10)
        assert not waiting.done()
        status = await root.ask(AskKindStatus(), timeout_s=5)
        assert isinstance(status, KindStatus) and status.paused
        root.try_tell(ResumeKind())
        assert await waiting == OrderBilled(order_id="ORD-1", amount_cents=1)
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("throttle-lets-all-pass")
def test_s59_a_kind_that_keeps_failing_is_slowed_to_trials_and_recovers_by_itself() -> None:
    async def scenario() -> None:
        local = await node()
        keys = [f"ORD-{number}" for number in range(300)]
        JammedTill.broken = set(keys)
        waiting = asyncio.gather(*(local.client.ask(bill(key), timeout=1000) for key in keys))
        await local.sleep(3)
        assert len(local.facts_of(KindThrottled)) == 1
        before = len(JammedTill.runs)
        await local.sleep(5)
        assert len(JammedTill.runs) - before <= 2 * 6, "a trial a second, of two runs each"
        JammedTill.broken = set()
        replies = await waiting
        assert len(local.facts_of(KindRecovered)) == 1
        assert all(reply.message is not None or not reply.fault for reply in replies)
        await local.stop()

    in_virtual_time(scenario)
