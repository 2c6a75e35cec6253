"""A large state is written out once a turn, and one over the limit is a failure of the handler that made it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillState
from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.kind import Limits
from runtime.durable.turn.keeping import StateKeeper
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

LARGE = 2_000_000
FIRST = 1_000


@dataclass
class HoardingTill(Till):
    """A till that puts a large text into its state on the amount FIRST."""

    hoards: int = LARGE

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        decision = await super().handle(state, delivery)
        assert isinstance(state, BillState)
        if self.runs[-1] == FIRST:
            state.charge_id = "x" * self.hoards
        return decision


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A note of each time that a state was written out."""
    notes: list[bytes] = []
    keep = StateKeeper.keep

    def noting(self: StateKeeper) -> None:
        try:
            keep(self)
        finally:
            if not self.is_unkept:
                notes.append(b"")

    monkeypatch.setattr(StateKeeper, "keep", noting)
    return notes


async def with_a_large_state(till: Till, limits: Limits | None = None) -> tuple[LocalNode, Post]:
    local = await LocalNode([till], limits=limits).start()
    post = Post(local)
    await post.send(post.bill(FIRST))
    await local.sleep(0.1)
    return local, post


def test_a_large_state_is_written_out_once_for_all_messages_of_a_turn(written: list[bytes]) -> None:
    async def scenario() -> None:
        local, post = await with_a_large_state(HoardingTill())
        revision = (await local.row("billing", "ORD-1")).revision
        written.clear()
        await post.send(*[post.bill(number) for number in range(100)])
        await local.sleep(5)
        turns = (await local.row("billing", "ORD-1")).revision - revision
        assert turns < 5
        assert len(written) == turns
        assert (await post.state()).charges == 101
        await local.stop()

    in_virtual_time(scenario)


def test_a_handler_that_fails_over_a_large_state_spoils_neither_what_was_before_it_nor_what_comes_after() -> None:
    async def scenario() -> None:
        till = HoardingTill(broken={5})
        local, post = await with_a_large_state(till)
        await post.send(*[post.bill(number) for number in range(10)])
        await local.sleep(2)
        assert (await post.order())[1:] == [str(number) for number in range(5)]
        till.broken.clear()
        await local.sleep(60)
        state = await post.state()
        assert state.reason.split()[1:] == [str(number) for number in range(10)]
        assert (state.charges, len(state.charge_id)) == (11, LARGE)
        assert all(till.runs.count(number) <= 3 for number in range(10))
        await local.stop()

    in_virtual_time(scenario)


def test_a_handler_that_always_fails_over_a_large_state_is_parked_with_its_own_error() -> None:
    async def scenario() -> None:
        local, post = await with_a_large_state(HoardingTill(broken={5}))
        await post.send(*[post.bill(number) for number in range(10)])
        await local.sleep(120)
        assert (await post.order())[1:] == [str(number) for number in range(10) if number != 5]
        (letter,) = await local.mail("billing", "ORD-1")
        assert "the till is jammed" in letter.parked
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("before", [0, 100_000])
def test_a_state_over_the_limit_fails_its_handler_alone_and_names_kind_key_and_size(before: int) -> None:
    async def scenario() -> None:
        till = HoardingTill(hoards=before)
        local, post = await with_a_large_state(till, Limits(state_bytes_max=150_000))
        till.hoards = 200_000
        await post.send(post.bill(1), post.bill(2), post.bill(FIRST), post.bill(3))
        await local.sleep(60)
        state = await post.state()
        assert state.reason.split()[1:] == ["1", "2", "3"]
        assert len(state.charge_id) == before
        (letter,) = await local.mail("billing", "ORD-1")
        assert "the state of kind billing, key ORD-1, has 200,0" in letter.parked
        assert "the limit is 150,000 (setting state_bytes_max)" in letter.parked
        await local.stop()

    in_virtual_time(scenario)
