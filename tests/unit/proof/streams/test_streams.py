"""The workload of streams: what a sink says to what comes in and out of turn, and runs that end well."""

from __future__ import annotations

import pytest

from runtime.testing.runs.run import simulate_seed
from tests.proof.programs import programs_pb2 as pb
from tests.proof.streams import streams
from tests.proof.streams.actors import NumberSink, NumberSource, counted


async def test_a_spring_numbers_what_it_sends_to_each_mouth() -> None:
    source = NumberSource.of(key="one")
    first = await source.send(pb.ChangeAlpha(key="one", deed="sea", amount=2))
    other = await source.send(pb.ChangeAlpha(key="one", deed="lake", amount=1))
    more = await source.send(pb.ChangeAlpha(key="one", deed="sea", amount=1))
    assert [event.deed for event in (*first.events, *other.events, *more.events)] == [
        "one 1",
        "one 2",
        "one 1",
        "one 3",
    ]
    assert {event.next_key for event in (*first.events, *more.events)} == {"sea"}


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ((1, 2, 3), []),
        ((1, 3, 2), ["sea took number 3 of one after 1", "sea took number 2 of one after 3"]),
        ((1, 1), ["sea took number 1 of one after 1"]),
        ((2,), ["sea took number 2 of one after 0"]),
    ],
)
async def test_a_mouth_says_what_is_missing_doubled_or_out_of_turn(numbers: tuple[int, ...], wrong: list[str]) -> None:
    sink = NumberSink.of(key="sea")
    for number in numbers:
        await sink.take(pb.ChangeBeta(key="sea", deed=f"one {number}"))
    assert list(sink.state.wrong) == wrong
    assert counted(sink.state, "one").dos == max(numbers)


def test_seeds_of_streams_are_clean_and_bring_everything_over() -> None:
    for seed in range(12):
        result = simulate_seed(seed, streams())
        assert result.violations == (), f"again: python -m runtime.testing replay {seed} --workload streams"
        assert result.figures["completed"] == result.figures["started"] == 64
        assert result.figures["messages"] > 64
