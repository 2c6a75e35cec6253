"""A turn ends after its time, and work that comes to nothing is not repeated for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import Decision, Delivery, RetryPolicy, SetTimer
from runtime.durable.kind import Limits, MessageParked
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.lost import lost_runs_max
from runtime.errors import Overloaded, StoreUnavailable
from runtime.store.groups import Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import Outcome, Transition, Verdict
from runtime.testing.virtual.clock import VirtualLoop
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.test_moves import NotedLinks
from tests.unit.durable.till import CONVERSATION, Post, Till

LEASE_S = 1.5
PATIENT = RetryPolicy(immediate=2, delays=(1.0, 5.0, 30.0), jitter=0.0)


@dataclass
class SlowTill(Till):
    """A till that computes, or waits, before it notes an amount."""

    computes_s: float = 0.0
    waits_s: float = 0.0
    at: dict[int, float] = field(default_factory=dict)  # amounts that compute for so long

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        decision = await super().handle(state, delivery)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.spend(self.at.get(self.runs[-1], self.computes_s))
        if self.waits_s:
            await asyncio.sleep(self.waits_s)
        return decision


class HeldLease(NotedLinks):
    """A lease that is renewed by the loop, as often as that comes to it."""

    def __init__(self, local: LocalNode) -> None:
        super().__init__()
        self._local = local
        self._renewed_s = local.ports.clock.monotonic_s()
        self.pause_max_s = 0.0
        self._renew()

    def lease_is_sure(self) -> bool:
        return self._local.ports.clock.monotonic_s() - self._renewed_s < LEASE_S

    def _renew(self) -> None:
        now_s = self._local.ports.clock.monotonic_s()
        self.pause_max_s = max(self.pause_max_s, now_s - self._renewed_s)
        self._renewed_s = now_s
        self._local.ports.clock.call_later(0.1, self._renew)


class Failing(MemoryStore):
    """A store that refuses what it is told to refuse."""

    is_down = False
    longest = 1000  # messages of one transition

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.is_down or any(len(one.history) > self.longest for one in transitions_of(batch)):
            raise StoreUnavailable("the disk is full")
        return await super().commit(batch)


async def started(
    till: Till, store: MemoryStore | None = None, limits: Limits | None = None
) -> tuple[LocalNode, HeldLease, Post]:
    local = await LocalNode([till], store, limits).start()
    lease = HeldLease(local)
    local.router.connect(lease, lease)
    return local, lease, Post(local)


def texts(numbers: Sequence[int]) -> list[str]:
    return [str(number) for number in numbers]


# --- the length of a turn ---


def test_handlers_that_compute_for_long_lose_no_lease_however_many_messages_wait() -> None:
    async def scenario() -> None:
        till = SlowTill(computes_s=0.03)
        local, lease, post = await started(till)
        await post.send(*[post.bill(number) for number in range(150)])
        await local.sleep(20)
        assert till.runs == list(range(150))
        assert await post.order() == texts(range(150))
        assert lease.pause_max_s < 0.3
        await local.stop()

    in_virtual_time(scenario)


def test_many_actors_that_compute_for_long_do_not_keep_the_loop_from_renewing_a_lease() -> None:
    async def scenario() -> None:
        till = SlowTill(computes_s=0.03)
        local, lease, _ = await started(till)
        posts = [Post(local, f"ORD-{number}") for number in range(60)]
        for post in posts:
            await post.store(*[post.bill(number) for number in range(5)])
        await local.sleep(30)
        assert len(till.runs) == 300
        assert lease.pause_max_s < 0.5
        await local.stop()

    in_virtual_time(scenario)


def test_answers_leave_before_the_last_message_that_waits_was_handled() -> None:
    async def scenario() -> None:
        till = SlowTill(waits_s=0.5)
        local, _, post = await started(till)
        await post.send(*[post.bill(number) for number in range(64)])
        await local.sleep(1.1)
        assert await post.order() == ["0", "1"]
        await local.sleep(40)
        assert await post.order() == texts(range(64))
        assert till.runs == list(range(64))
        await local.stop()

    in_virtual_time(scenario)


def test_what_is_left_of_a_turn_comes_before_what_is_pushed_meanwhile() -> None:
    async def scenario() -> None:
        till = SlowTill(waits_s=0.06)
        local, _, post = await started(till)
        for number in range(0, 40, 4):
            await post.send(*[post.bill(number + one) for one in range(4)])
            await local.sleep(0.1)
        await local.sleep(10)
        assert await post.order() == texts(range(40))
        await local.stop()

    in_virtual_time(scenario)


def test_what_is_left_of_a_turn_waits_for_one_in_it_that_is_tried_again_later() -> None:
    async def scenario() -> None:
        till = SlowTill(waits_s=0.06, broken={2})
        local, _, post = await started(till)
        await post.send(*[post.bill(number) for number in range(8)])
        await local.sleep(2)
        assert await post.order() == ["0", "1"]
        till.broken.clear()
        await local.sleep(10)
        assert await post.order() == texts(range(8))
        await local.stop()

    in_virtual_time(scenario)


# --- runs that come to nothing ---


def test_a_turn_that_was_lost_is_begun_again_with_half_as_many_messages() -> None:
    async def scenario() -> None:
        till = Till(retries=PATIENT)
        store = Failing(LocalNode([till]).ports)
        store.longest = 10
        local, _, post = await started(till, store)
        await post.store(*[post.bill(number) for number in range(64)])
        await local.shards.read_again()
        await local.sleep(30)
        assert await post.order() == texts(range(64))
        assert max(till.runs.count(number) for number in range(64)) <= 5
        await local.stop()

    in_virtual_time(scenario)


def test_a_message_whose_runs_all_lose_the_lease_is_parked_with_that_reason_and_its_neighbours_go_on() -> None:
    async def scenario() -> None:
        till = SlowTill(at={2: 5.0})
        local, _, post = await started(till)
        await post.send(*[post.bill(number) for number in range(1, 5)])
        await local.sleep(120)
        assert await post.order() == ["1", "3", "4"]
        (letter,) = await local.mail("billing", "ORD-1")
        assert "runs end without a commit" in letter.parked
        assert "the lease of this node may have run out" in letter.parked
        assert letter.attempts == till.runs.count(2) == lost_runs_max(till.retries.runs_max)
        await local.stop()

    in_virtual_time(scenario)


def test_a_turn_that_has_run_is_committed_however_much_waits_for_the_store() -> None:
    async def scenario() -> None:
        till = Till()
        local, _, post = await started(till)
        local.committer.waiting_max = 0  # The queue is as full as it may be.
        await post.store(post.bill(1))
        await local.shards.read_again()
        await local.sleep(5)
        assert await post.order() == ["1"]
        assert till.runs == [1]
        (row,) = await local.store.conversation(CONVERSATION)
        assert row.attempts == 1, "nothing of it counts as lost"
        with pytest.raises(Overloaded):
            await local.client.send(BillOrder(order_id="ORD-2", amount_cents=1))
        await local.stop()

    in_virtual_time(scenario)


def test_a_turn_that_can_never_be_written_has_its_message_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Draft.finish

    def failing(draft: Draft) -> Transition:
        if any(row.outcome is Outcome.HANDLED for row in draft.history):
            raise ValueError("this cannot be written down")
        return finish(draft)

    async def scenario() -> None:
        till = Till()
        local, _, post = await started(till)
        monkeypatch.setattr(Draft, "finish", failing)
        await post.send(post.bill(1))
        await local.sleep(60)
        (letter,) = await local.mail("billing", "ORD-1")
        assert "the turn ended with ValueError" in letter.parked
        assert till.runs == [1] * lost_runs_max(till.retries.runs_max)
        await local.stop()

    in_virtual_time(scenario)


def test_a_store_that_fails_for_long_has_nothing_run_again_and_again_and_parks_no_good_message() -> None:
    async def scenario() -> None:
        till = Till()
        store = Failing(LocalNode([till]).ports)
        local, _, post = await started(till, store)
        one = post.bill(1)
        await post.store(one)
        store.is_down = True
        await post.push(one)
        await local.sleep(600)
        assert till.runs == [1]
        store.is_down = False
        await local.sleep(5)
        assert till.runs == [1, 1]
        assert await post.order() == ["1"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_timer_is_not_run_again_and_again_while_the_store_fails_nor_given_up_for_that() -> None:
    async def scenario() -> None:
        till = Till(timers={1: SetTimer("remind", 0.0, BillOrder(amount_cents=2))})
        store = Failing(LocalNode([till]).ports)
        local, _, post = await started(till, store)
        till.timers[1] = SetTimer("remind", local.ports.clock.now_s() + 3, BillOrder(order_id="ORD-1", amount_cents=2))
        await post.send(post.bill(1))
        await local.sleep(2)
        store.is_down = True
        await local.sleep(600)
        assert till.runs == [1, 2]
        store.is_down = False
        await local.sleep(5)
        assert till.runs == [1, 2, 2]
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_timer_whose_runs_all_lose_the_lease_is_given_up_with_that_reason() -> None:
    async def scenario() -> None:
        till = SlowTill(at={2: 5.0})
        local, _, post = await started(till)
        till.timers[1] = SetTimer("remind", local.ports.clock.now_s() + 1, BillOrder(order_id="ORD-1", amount_cents=2))
        await post.send(post.bill(1))
        await local.sleep(120)
        assert till.runs.count(2) == lost_runs_max(till.retries.runs_max)
        assert [fact.attempts for fact in local.facts if isinstance(fact, MessageParked)] == [
            lost_runs_max(till.retries.runs_max)
        ]
        await local.stop()

    in_virtual_time(scenario)


def test_lost_runs_are_part_of_the_count_that_its_mail_has() -> None:
    async def scenario() -> None:
        till = Till()
        store = Failing(LocalNode([till]).ports)
        local, _, post = await started(till, store)
        one = post.bill(1)
        await post.store(one)
        store.is_down = True
        await post.push(one)
        await local.sleep(3)
        till.broken.add(1)
        store.is_down = False
        await local.sleep(3)
        (row,) = await local.mail("billing", "ORD-1")
        assert row.attempts == 2, "one that was lost, and one that has failed"
        await local.stop()

    in_virtual_time(scenario)


# --- what has run meanwhile ---


def test_a_do_that_waits_in_the_mailbox_is_not_run_once_its_undo_is_committed() -> None:
    async def scenario() -> None:
        till = Till()
        hangs = till.hangs[1] = asyncio.Event()
        local, _, post = await started(till, limits=Limits(turn_messages_max=1))
        first, do = post.bill(1), post.bill(2)
        undo = post.refund(do)
        await post.store(first, do, undo)
        await post.push(first, undo, do)
        await local.sleep(0.1)
        hangs.set()
        await local.sleep(0.5)
        assert till.runs == [1]
        assert await post.order() == ["1", "undo"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_do_whose_undo_found_nothing_of_it_is_not_run_when_it_comes_late() -> None:
    async def scenario() -> None:
        till = Till()
        hangs = till.hangs[1] = asyncio.Event()
        local, _, post = await started(till)
        first, do, later = post.bill(1), post.bill(2), post.bill(3)
        undo = post.refund(do)
        await post.store(first, undo)
        await post.push(first)
        await local.sleep(0.1)
        await post.push(undo, do)
        hangs.set()
        await local.sleep(0.5)
        await post.push(do)
        await post.send(later)
        await local.sleep(0.5)
        assert till.runs == [1, 3]
        await local.stop()

    in_virtual_time(scenario)
