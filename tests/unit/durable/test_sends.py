"""What a turn sends leaves after its commit, and takes effect once however often it is sent."""

from __future__ import annotations

import dataclasses

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import Decision, Delivery, Outgoing
from runtime.durable.kind import Limits
from runtime.envelope import Envelope, decode
from runtime.errors import FinalError
from runtime.store.records import Transition
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import CONVERSATION, Post, Till


async def faults(local: LocalNode, kind: str, key: str) -> list[Envelope]:
    return [one for one in (decode(row.envelope) for row in await local.mail(kind, key)) if one.type == "amends.Fault"]


@pytest.mark.broken_by("takeover-without-sweep")
def test_s38_what_a_committed_turn_had_to_send_goes_out_after_a_crash_and_its_handler_does_not_run_again() -> None:
    async def scenario() -> None:
        till = Till(sends={1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=2))})
        first = await LocalNode([till]).start()
        first.router.route = lambda envelope: None  # type: ignore[method-assign] # it dies before anything is sent
        post, other = Post(first), Post(first, "ORD-2")
        await post.send(post.bill(1))
        await first.sleep(0.1)
        await first.stop()
        second = await LocalNode([till], first.store).start()
        await second.sleep(1)
        assert await other.order() == ["2"]
        assert till.runs == [1, 2]
        await second.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("history-pruned-too-early")
def test_s39_what_was_sent_before_a_crash_may_be_sent_again_under_the_same_id_and_has_one_effect() -> None:
    async def scenario() -> None:
        till = Till(sends={1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=2))})
        first = await LocalNode([till]).start()
        sent: list[bytes] = []
        route = first.router.route

        def listen(envelope: Envelope) -> None:
            sent.append(envelope.encoded)
            route(envelope)

        first.router.route = listen  # type: ignore[method-assign]
        post, other = Post(first), Post(first, "ORD-2")
        await post.send(post.bill(1))
        await first.sleep(0.5)
        assert await other.order() == ["2"]
        await first.stop()
        second = await LocalNode([till], first.store).start()
        await second.router.on_pushes("peer", sent * 2, True)
        await second.sleep(5)
        assert await other.order() == ["2"]
        handled = [row.id for row in await second.store.conversation(CONVERSATION) if row.key == "ORD-2"]
        assert len(handled) == 1
        await second.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("faults-not-told")
def test_s45_who_asked_gets_one_fault_for_a_command_that_fails_however_often_it_is_tried() -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        first = await LocalNode([till]).start()
        post = Post(first)
        command = post.bill(1, reply_to="nobody/asked")
        await post.send(command)
        await first.sleep(6)  # tried twice
        await first.stop()
        second = await LocalNode([till], first.store).start()
        await second.sleep(60)
        await second.router.on_pushes("peer", [command.encoded] * 2, True)
        await second.sleep(10)
        (letter,) = await second.mail("billing", "ORD-1")
        assert letter.attempts == till.retries.runs_max
        assert len(await faults(second, "nobody", "asked")) == 1
        await second.stop()

    in_virtual_time(scenario)


def test_s45_the_answer_to_a_command_is_in_the_commit_of_its_effect() -> None:
    async def scenario() -> None:
        till = Till(errors={2: FinalError("never")})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1, reply_to="nobody/asked"), post.bill(2, reply_to="nobody/asked"))
        await local.sleep(1)
        assert (await local.row("billing", "ORD-1")).revision == 1
        assert len(await local.mail("nobody", "asked")) == 2
        assert len(await faults(local, "nobody", "asked")) == 1
        await local.stop()

    in_virtual_time(scenario)


def test_a_great_many_messages_of_one_turn_all_arrive_in_their_order() -> None:
    async def scenario() -> None:
        class Crier(Till):
            async def handle(self, state: Message, delivery: Delivery) -> Decision:
                decision = await super().handle(state, delivery)
                if self.runs[-1] != 10_000:
                    return decision
                return Decision(tuple(Outgoing(BillOrder(order_id="ORD-2", amount_cents=n)) for n in range(3000)))

        local = await LocalNode([Crier()], limits=Limits(mailbox_max=100)).start()
        post, other = Post(local), Post(local, "ORD-2")
        await post.send(post.bill(10_000))
        await local.sleep(30)
        assert await other.order() == [str(n) for n in range(3000)]
        await local.stop()

    in_virtual_time(scenario)


def test_i11_a_late_copy_of_a_push_does_nothing_of_what_was_said_to_have_failed_and_a_replay_does() -> None:
    async def scenario() -> None:
        till = Till(errors={1: FinalError("never")})
        local = await LocalNode([till]).start()
        post = Post(local)
        command = post.bill(1)
        await post.send(command)
        await local.sleep(1)
        till.errors.clear()
        await post.push(command)
        await local.sleep(30)
        (row,) = await local.mail("billing", "ORD-1")
        assert row.parked
        again = dataclasses.replace(row, parked="", parked_at_s=0.0)
        await local.store.commit([Transition(address=row.address, shard=row.shard, rescheduled=(again,))])
        await local.sleep(5)
        assert await post.order() == ["1"]
        await local.stop()

    in_virtual_time(scenario)
