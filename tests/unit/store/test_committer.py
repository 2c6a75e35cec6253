"""Group commit: batches, verdicts, and what an error is turned into."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, Overloaded, StoreBusy, StoreError, StoreFull, StoreUnavailable
from runtime.ports import Cancellable, Fact, Ports
from runtime.store.committer import Committer
from runtime.store.facts import (
    CallbackFailed,
    CommitFailed,
    CommitOutcomeUnknown,
    CommitSettled,
    CommitSlow,
    CommitterStopped,
    SettleFailed,
)
from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.samples import SHARD, mail_row, post, turn
from tests.unit.store.scripted_store import LOST_AFTER, LOST_BEFORE, ScriptedStore

Told = list[Verdict | StoreError]


class StillClock:
    """The machine's clock, with pauses that pass at once and are noted."""

    def __init__(self) -> None:
        self._real = system_ports().clock
        self.pauses_s: list[float] = []
        self.ahead_s = 0.0

    def now_s(self) -> float:
        return self._real.now_s()

    def monotonic_s(self) -> float:
        return self._real.monotonic_s() + self.ahead_s

    async def sleep(self, delay_s: float) -> None:
        self.pauses_s.append(delay_s)
        await asyncio.sleep(0)

    def call_later(self, delay_s: float, callback: object, *arguments: object) -> Cancellable:
        raise AssertionError("the committer sets no timers")


class CommitterWorld:
    """A committer over a store that fails as told."""

    def __init__(self, *, batch_max: int = 256, batch_bytes_max: int = 1_048_576, waiting_max: int = 10_000) -> None:
        self.facts: list[Fact] = []
        self.clock = StillClock()
        self.ports: Ports = replace(system_ports(self.facts.append), clock=self.clock)
        self.store = ScriptedStore(self.ports)
        self.committer = Committer(
            self.store, self.ports, batch_max=batch_max, batch_bytes_max=batch_bytes_max, waiting_max=waiting_max
        )

    def facts_of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def waiting(self) -> int:
        return len(await self.store.waiting("billing", [SHARD], due_before_s=1e9, sent_before_s=1e9, limit=10_000))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until something holds; the suite's time limit ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0)


async def test_each_transition_is_told_its_own_verdict() -> None:
    world, told = CommitterWorld(), Told()
    for transition in (post(mail_row(1)), post(mail_row(1)), turn(1), turn(1), turn(2, "b")):
        world.committer.submit(transition, told.append)
    await world.committer.close()
    assert told == ["committed", "duplicate", "committed", "conflict", "mail_missing"]


async def test_nothing_is_told_before_submit_returns() -> None:
    world, told = CommitterWorld(), Told()
    world.committer.submit(post(mail_row(1)), told.append)
    assert told == []
    await world.committer.close()
    assert told == [Verdict.COMMITTED]


async def test_what_queues_behind_a_commit_shares_the_next_one() -> None:
    world, told = CommitterWorld(), Told()
    world.store.gate = asyncio.Event()
    world.committer.submit(post(mail_row(0)), told.append)
    await until(lambda: bool(world.store.batches))
    for number in range(1, 6):
        world.committer.submit(post(mail_row(number)), told.append)
    assert world.committer.waiting == 5
    world.store.gate.set()
    await world.committer.close()
    assert world.store.batches == [1, 5]
    assert told == [Verdict.COMMITTED] * 6


async def test_what_is_submitted_in_one_round_of_the_loop_shares_a_commit() -> None:
    world, told = CommitterWorld(), Told()
    for number in range(10):
        world.committer.submit(post(mail_row(number)), told.append)
    await world.committer.close()
    assert world.store.batches == [10]


async def test_a_batch_is_bounded_and_the_order_is_kept() -> None:
    world, order = CommitterWorld(batch_max=4), list[int]()
    for number in range(10):
        world.committer.submit(post(mail_row(number)), lambda _, number=number: order.append(number))  # type: ignore[misc]
    await world.committer.close()
    assert world.store.batches == [4, 4, 2]
    assert order == list(range(10))


async def test_a_batch_is_bounded_in_bytes_but_one_transition_always_goes() -> None:
    world, order = CommitterWorld(batch_bytes_max=10_000), list[int]()
    for number, size in enumerate((3_000, 3_000, 3_000, 50_000, 10, 10, 8_800, 100)):
        row = mail_row(number, envelope=b"x" * size)
        world.committer.submit(post(row), lambda _, number=number: order.append(number))  # type: ignore[misc]
    await world.committer.close()
    assert world.store.batches == [2, 1, 1, 2, 2]
    assert order == list(range(8))


async def test_a_batch_of_many_rows_is_bounded_however_small_they_are() -> None:
    world, told = CommitterWorld(batch_bytes_max=256 * 100), Told()
    for number in range(4):
        rows = tuple(mail_row(100 * number + one) for one in range(60))
        world.committer.submit(Transition(mail=rows), told.append)
    await world.committer.close()
    assert world.store.batches == [1, 1, 1, 1]


async def test_what_joins_a_commit_stays_within_its_bytes() -> None:
    world, told = CommitterWorld(batch_bytes_max=10_000), Told()
    world.store.gate, world.store.tops_up = asyncio.Event(), True
    world.committer.submit(post(mail_row(0, envelope=b"x" * 3_000)), told.append)
    await until(lambda: bool(world.store.batches))
    for number in range(1, 5):
        world.committer.submit(post(mail_row(number, envelope=b"x" * 3_000)), told.append)
    world.store.gate.set()
    await world.committer.close()
    assert world.store.batches == [2, 2, 1]


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room() -> None:
    world, told = CommitterWorld(waiting_max=2), Told()
    world.committer.submit(post(mail_row(1)), told.append)
    world.committer.submit(post(mail_row(2)), told.append)
    with pytest.raises(Overloaded, match="2 transitions wait"):
        world.committer.submit(post(mail_row(3)), told.append)
    await until(lambda: len(told) == 2)
    world.committer.submit(post(mail_row(3)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED] * 3


async def test_a_full_queue_takes_what_has_run() -> None:
    world, told = CommitterWorld(waiting_max=2), Told()
    for transition in (post(mail_row(1)), post(mail_row(2)), turn(1), turn(2, "b")):
        world.committer.submit(transition, told.append)
    put_off = Transition(address=("billing", "a"), shard=SHARD, rescheduled=(mail_row(2),))
    world.committer.submit(put_off, told.append)
    with pytest.raises(Overloaded, match="5 transitions wait"):
        world.committer.submit(post(mail_row(3)), told.append)
    await world.committer.close()
    assert told[:2] == [Verdict.COMMITTED] * 2 and len(told) == 5


async def test_a_callback_may_submit_the_next_transition() -> None:
    world, told = CommitterWorld(), Told()

    def next_one(outcome: Verdict | StoreError) -> None:
        told.append(outcome)
        world.committer.submit(post(mail_row(2)), told.append)

    world.committer.submit(post(mail_row(1)), next_one)
    await until(lambda: len(told) == 2)
    assert told == [Verdict.COMMITTED] * 2


async def test_a_callback_that_raises_does_not_keep_others_from_their_verdicts() -> None:
    world, told = CommitterWorld(), Told()

    def broken(outcome: Verdict | StoreError) -> None:
        raise RuntimeError("a bug")

    world.committer.submit(post(mail_row(1)), broken)
    world.committer.submit(post(mail_row(2)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED]
    assert world.facts_of(CallbackFailed) == [CallbackFailed("RuntimeError('a bug')")]


@pytest.mark.parametrize("error", [StoreBusy("held by 17"), StoreFull("no space"), StoreUnavailable("gone")])
async def test_a_definite_error_is_told_to_each_and_the_committer_goes_on(error: StoreError) -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [error]
    world.committer.submit(post(mail_row(1)), told.append)
    world.committer.submit(post(mail_row(2)), told.append)
    await until(lambda: len(told) == 2)
    assert told == [error, error]
    assert world.facts_of(CommitFailed) == [CommitFailed(str(error), 2)]
    world.committer.submit(post(mail_row(1)), told.append)
    await world.committer.close()
    assert told[2:] == [Verdict.COMMITTED]


async def test_an_unknown_commit_that_happened_is_told_as_committed() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [None, LOST_AFTER]
    world.committer.submit(post(mail_row(1)), told.append)
    await until(lambda: bool(told))
    world.committer.submit(turn(1, mail=[mail_row(2, "b")]), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED] * 2
    assert world.store.batches == [1, 1]
    assert world.facts_of(CommitSettled) == [CommitSettled(committed=1, missing=0)]


async def test_an_unknown_commit_that_did_not_happen_is_made_once_more() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [LOST_BEFORE]
    world.committer.submit(post(mail_row(1)), told.append)
    world.committer.submit(post(mail_row(2)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED] * 2
    assert world.store.batches == [2, 2]
    assert await world.waiting() == 2


async def test_a_commit_that_is_lost_twice_is_reported_as_not_written() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [LOST_BEFORE, LOST_BEFORE]
    world.committer.submit(post(mail_row(1)), told.append)
    await world.committer.close()
    [error] = told
    assert isinstance(error, StoreUnavailable)
    assert await world.waiting() == 0


async def test_a_second_unknown_attempt_that_happened_counts() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [LOST_BEFORE, LOST_AFTER]
    world.committer.submit(post(mail_row(1)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED]
    assert await world.waiting() == 1


async def test_nobody_is_told_anything_until_the_store_answers() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [LOST_AFTER]
    world.store.answers = [StoreUnavailable("still down")] * 8
    world.committer.submit(post(mail_row(1)), told.append)
    while world.store.answers:
        assert told == []
        await asyncio.sleep(0)
    await world.committer.close()
    assert told == [Verdict.COMMITTED]
    assert world.clock.pauses_s == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert len(world.facts_of(SettleFailed)) == 8


async def test_a_bug_in_the_store_is_an_unknown_outcome_too() -> None:
    world, told = CommitterWorld(), Told()
    world.store.commits = [KeyError("a bug")]
    world.committer.submit(post(mail_row(1)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED]
    assert world.facts_of(CommitOutcomeUnknown) == [CommitOutcomeUnknown("KeyError('a bug')", 1)]


async def test_a_thousand_ambiguous_commits_are_resolved_none_doubled_none_falsely_failed() -> None:
    world, told = CommitterWorld(batch_max=1), Told()
    script: list[Exception | None] = [LOST_BEFORE, None, LOST_AFTER]
    world.store.commits = script * 500
    for number in range(1_000):
        world.committer.submit(post(mail_row(number)), told.append)
    await world.committer.close()
    assert told == [Verdict.COMMITTED] * 1_000
    assert await world.waiting() == 1_000
    assert world.committer.stats.unknown == 1_000


async def test_cancelling_who_waits_for_the_flush_does_not_cancel_the_commit() -> None:
    world, told = CommitterWorld(), Told()
    world.store.gate = asyncio.Event()
    world.committer.submit(post(mail_row(1)), told.append)
    closing = asyncio.create_task(world.committer.close())
    await until(lambda: bool(world.store.batches))
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    world.store.gate.set()
    await world.committer.close()
    assert told == [Verdict.COMMITTED]


async def test_after_close_nothing_is_taken() -> None:
    world, told = CommitterWorld(), Told()
    await world.committer.close()
    await world.committer.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        world.committer.submit(post(mail_row(1)), told.append)
    assert len(world.facts_of(CommitterStopped)) == 1


async def test_the_totals_are_reported_at_the_end() -> None:
    world, told = CommitterWorld(batch_max=2), Told()
    world.store.commits = [None, StoreBusy("held"), LOST_AFTER]
    for transition in (post(mail_row(1)), post(mail_row(1)), post(mail_row(2)), post(mail_row(3)), post(mail_row(4))):
        world.committer.submit(transition, told.append)
    await world.committer.close()
    assert world.facts_of(CommitterStopped) == [
        CommitterStopped(commits=1, transitions=3, conflicts=1, failures=2, unknown=1)
    ]


async def test_a_slow_commit_is_reported() -> None:
    world, told = CommitterWorld(), Told()
    world.store.gate = asyncio.Event()
    world.committer.submit(post(mail_row(1)), told.append)
    await until(lambda: bool(world.store.batches))
    world.clock.ahead_s = 5.0
    world.store.gate.set()
    await world.committer.close()
    [slow] = world.facts_of(CommitSlow)
    assert isinstance(slow, CommitSlow)
    assert slow.transitions == 1
    assert slow.took_s >= 5.0


def test_an_unknown_outcome_is_no_failure() -> None:
    assert not issubclass(CommitUnknown, StoreUnavailable)


# --- what comes while the store waits to write ---


async def test_what_comes_while_the_store_waits_to_write_shares_that_commit() -> None:
    world, told = CommitterWorld(batch_max=4), Told()
    world.store.gate, world.store.tops_up = asyncio.Event(), True
    world.committer.submit(post(mail_row(0)), told.append)
    while not world.store.batches:
        await asyncio.sleep(0)
    for number in range(1, 6):
        world.committer.submit(post(mail_row(number)), told.append)
    world.store.gate.set()
    await world.committer.close()
    assert world.store.batches == [4, 2], "the limit of a batch holds for those that join, too"
    assert told == [Verdict.COMMITTED] * 6


@pytest.mark.parametrize("error", [StoreFull("full"), LOST_BEFORE, LOST_AFTER], ids=["definite", "before", "behind"])
async def test_those_that_joined_a_commit_share_its_outcome_each_told_once(error: StoreError) -> None:
    world, told = CommitterWorld(), Told()
    world.store.gate, world.store.tops_up = asyncio.Event(), True
    world.store.commits = [error]
    world.committer.submit(post(mail_row(0)), told.append)
    while not world.store.batches:
        await asyncio.sleep(0)
    world.committer.submit(post(mail_row(1)), told.append)
    world.store.gate.set()
    await world.committer.close()
    assert told == ([error] * 2 if isinstance(error, StoreFull) else [Verdict.COMMITTED] * 2)
    waiting = await world.store.waiting("billing", [SHARD], due_before_s=1e12, sent_before_s=1e12, limit=10)
    assert len(waiting) == (0 if isinstance(error, StoreFull) else 2)
