"""One act on many dead letters: chosen once, each with its own outcome; resumed or cancelled, nothing is done twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runtime.adapters import SystemClock
from runtime.errors import InvalidMessage
from runtime.operate import runs
from runtime.operate.dead_letters import NotFound, dead_letters
from runtime.operate.letter_runs import KIND, begin
from runtime.operate.run import KeptRun, RunEnded, RunMoved
from runtime.operate.runs import cancel, kept_run, run_view, run_views
from runtime.protos.saga_pb2 import LetterRun, RunCancelled
from runtime.store.memory import MemoryStore
from runtime.store.parked import ParkedPlace
from runtime.store.records import Transition
from tests.unit.operate.rows import TALK, fill, id_of, mail

NOW_S = 1_000.0
WHY = RunCancelled(who="bo", reason="the wrong ones", at_s=2_000.0)


async def run_over(store: MemoryStore, numbers: Sequence[int], act: LetterRun.Act.ValueType) -> KeptRun:
    await fill(store, *(mail(number, parked="boom") for number in numbers))
    places = [ParkedPlace(id_of(number), "billing", "ORD-1", 3) for number in numbers]
    said = LetterRun(act=act, who="ann", reason="mended", chosen_by="a test")
    return await begin(store, "letters", said, places, now_s=NOW_S)


class HastyClock(SystemClock):
    """Nobody waits by it: a run goes at no pace."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0.0)


async def carry_on(store: MemoryStore, run: KeptRun) -> KeptRun:
    return await runs.carry_on(store, run, HastyClock(), wait_s=1.0)


async def acts(store: MemoryStore) -> int:
    told = ("replayed", "discarded")
    return sum(row.type in told and row.node == "operator/ann" for row in await store.conversation(TALK))


async def parked(store: MemoryStore) -> int:
    return len(await dead_letters(store, limit=1_000))


@pytest.mark.parametrize("act", [LetterRun.REPLAY, LetterRun.DISCARD])
async def test_a_run_whose_outcome_was_not_written_down_is_resumed_and_nothing_is_done_twice(
    store: MemoryStore, act: LetterRun.Act.ValueType
) -> None:
    kept = await carry_on(store, await run_over(store, range(10, 260), act))
    assert (kept.left, await parked(store), await acts(store)) == (0, 0, 250)
    again = await kept_run(store, KIND, "letters")
    for item in again.record.items[100:]:
        item.handled = False  # as a process knows them that was ended before it wrote them down
    if act == LetterRun.REPLAY:
        (row,) = [one for one in await store.waiting_for(("billing", "ORD-1"), 3, limit=999) if one.id == id_of(200)]
        given_up = replace(row, parked="boom again", parked_at_s=5.0)
        await store.commit([Transition(address=row.address, shard=3, rescheduled=(given_up,))])
    kept = await carry_on(store, again)
    assert (kept.left, await acts(store)) == (0, 250)
    assert not any(item.refusal for item in kept.record.items)
    assert await parked(store) == (act == LetterRun.REPLAY), "what failed again since is left to a new decision"


async def test_one_letter_that_is_gone_stops_no_other(store: MemoryStore) -> None:
    kept = await run_over(store, (10, 11, 12), LetterRun.DISCARD)
    other = LetterRun(act=LetterRun.REPLAY, who="bo", reason="it was quicker")
    place = ParkedPlace(id_of(11), "billing", "ORD-1", 3)
    await carry_on(store, await begin(store, "other", other, [place], now_s=NOW_S + 1))
    kept = await carry_on(store, kept)
    assert [item.refusal[:26] for item in kept.record.items] == ["", "it is no longer parked: it", ""]
    gone = await begin(store, "late", other, [place], now_s=NOW_S + 2)
    assert gone.record.items[0].refusal == "" and (await carry_on(store, gone)).record.items[0].refusal


async def test_of_two_who_carry_a_run_on_one_is_told_so(store: MemoryStore) -> None:
    first = await run_over(store, range(10, 30), LetterRun.REPLAY)
    second = await kept_run(store, KIND, "letters")
    await carry_on(store, first)
    with pytest.raises(RunMoved, match="somebody else carries the run 'letters' on"):
        await carry_on(store, second)
    assert await acts(store) == 20


async def test_a_cancelled_run_goes_on_nowhere_and_says_why(store: MemoryStore) -> None:
    kept = await run_over(store, range(10, 30), LetterRun.REPLAY)
    await cancel(store, KIND, "letters", WHY)
    with pytest.raises(RunMoved):
        await carry_on(store, kept)  # whoever carried it on meanwhile has done a page, which counts
    seen = await run_view(store, KIND, "letters")
    assert (seen.done, seen.cancelled) == (20, "bo: the wrong ones")
    with pytest.raises(RunEnded, match="was cancelled by bo, because: the wrong ones"):
        await carry_on(store, await kept_run(store, KIND, "letters"))
    with pytest.raises(RunEnded, match="was cancelled before, by bo"):
        await cancel(store, KIND, "letters", WHY)


async def test_what_has_ended_is_not_cancelled(store: MemoryStore) -> None:
    await carry_on(store, await run_over(store, (10,), LetterRun.REPLAY))
    with pytest.raises(RunEnded, match="nothing is left"):
        await cancel(store, KIND, "letters", WHY)
    with pytest.raises(NotFound, match="there is no run"):
        await cancel(store, KIND, "none", WHY)
    with pytest.raises(NotFound, match="there is no run"):
        await run_view(store, "billing", "ORD-1")
    with pytest.raises(InvalidMessage, match="say who does it, and why"):
        await cancel(store, KIND, "letters", RunCancelled(who="bo"))


async def test_runs_are_listed_the_latest_first(store: MemoryStore) -> None:
    await run_over(store, (10, 11), LetterRun.REPLAY)
    place = ParkedPlace(id_of(10), "billing", "ORD-1", 3)
    for number in range(60):
        said = LetterRun(act=LetterRun.DISCARD, who="bo", reason=f"{number}")
        await begin(store, f"run {59 - number:02}", said, [place], now_s=NOW_S + 1 + number)
    views = await run_views(store, limit=61)
    assert [one.reason for one in views] == [*(str(number) for number in reversed(range(60))), "mended"]
    assert (views[-1].name, views[-1].act, views[-1].total, views[-1].left) == ("letters", "replay", 2, 2)
    assert [one.reason for one in await run_views(store, limit=2)] == ["59", "58"]


@pytest.mark.parametrize(
    ("said", "name", "letters", "why"),
    [
        (LetterRun(act=LetterRun.REPLAY, who="ann"), "x", 1, "say who does it, and why"),
        (LetterRun(act=LetterRun.NONE, who="ann", reason="x"), "x", 1, "say what becomes of the letters"),
        (LetterRun(act=9, who="ann", reason="x"), "x", 1, "say what becomes of the letters"),  # type: ignore[arg-type]  # of a newer version
        (LetterRun(act=LetterRun.REPLAY, who="ann", reason="x"), " ", 1, "give it a name"),
        (LetterRun(act=LetterRun.REPLAY, who="ann", reason="x"), "n" * 201, 1, "give it a name"),
        (LetterRun(act=LetterRun.REPLAY, who="ann", reason="x"), "x", 0, "0 letters are chosen"),
        (LetterRun(act=LetterRun.REPLAY, who="ann", reason="x"), "x", 10_001, "10,001 letters are chosen"),
        (LetterRun(act=LetterRun.REPLAY, who="ann", reason="x"), "letters", 1, "there is a run 'letters' already"),
    ],
)
async def test_what_does_not_say_all_begins_no_run(
    store: MemoryStore, said: LetterRun, name: str, letters: int, why: str
) -> None:
    await run_over(store, (10,), LetterRun.REPLAY)
    place = ParkedPlace(id_of(10), "billing", "ORD-1", 3)
    with pytest.raises(InvalidMessage, match=why):
        await begin(store, name, said, [place] * letters, now_s=NOW_S)
