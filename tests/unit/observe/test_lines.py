"""Who logs never waits for who reads: lines that nobody takes are dropped, counted, and owned up to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from runtime.adapters import SystemClock
from runtime.observe.lines import Lines
from runtime.observe.logging import open_log

_PIPE_HOLDS = 2 * 1024 * 1024  # more than any pipe takes before its reader reads


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe that nobody reads yet."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as out:
        yield reading, out
    try:
        os.close(reading)
    except OSError:
        pass


def _read_until(reading: int, *ends: bytes) -> str:
    """What comes, until these have come, one after another."""
    got, at = b"", 0
    for end in ends:
        while (found := got.find(end, at)) < 0:
            more = os.read(reading, 65_536)
            assert more, "the pipe ended before that"
            got += more
        at = found
    return got.decode()


def test_a_log_whose_reader_stalls_keeps_nobody_waiting_and_says_what_was_lost(pipe: tuple[int, TextIO]) -> None:
    reading, out = pipe
    log = open_log(clock=SystemClock(), node="a", stream=out)
    for number in range(20_000):  # more than the pipe and the queue hold
        log.info("one of many", number=number, padding="x" * 300)
    log.drain(0.01)  # bounded, though nothing can be written
    lines = [json.loads(line) for line in _read_until(reading, b"log lines were dropped", b"}\n").splitlines()]
    shown = [line["number"] for line in lines if line["event"] == "one of many"]
    assert shown == list(range(len(shown)))
    (told,) = [line for line in lines if line["event"] == "log lines were dropped"]
    assert told["dropped"] == 20_000 - len(shown)
    log.info("after")
    assert _read_until(reading, b"}\n").count("after") == 1


def test_what_is_logged_is_there_at_the_end(pipe: tuple[int, TextIO]) -> None:
    reading, out = pipe
    log = open_log(clock=SystemClock(), stream=out)
    for number in range(50):
        log.info("said", number=number)
    log.drain(30.0)
    os.set_blocking(reading, False)
    assert [json.loads(line)["number"] for line in os.read(reading, 65_536).splitlines()] == list(range(50))


def test_a_descriptor_that_does_not_block_is_waited_for_all_the_same(pipe: tuple[int, TextIO]) -> None:
    reading, out = pipe
    os.set_blocking(out.fileno(), False)
    told: list[int] = []
    lines = Lines(out, told.append)
    lines.write("x" * _PIPE_HOLDS + "\n")
    assert len(_read_until(reading, b"\n")) == _PIPE_HOLDS + 1
    assert lines.drain(30.0) and told == []


def test_lines_that_cannot_be_written_are_counted_until_they_can_be(pipe: tuple[int, TextIO]) -> None:
    reading, out = pipe
    told: list[int] = []
    lines = Lines(out, told.append)
    os.close(reading)
    lines.write("lost\n")
    assert lines.drain(30.0)
    again, writing = os.pipe()
    os.dup2(writing, out.fileno())
    os.close(writing)
    lines.write("kept\n")
    assert lines.drain(30.0)
    assert os.read(again, 100) == b"kept\n"
    assert told == [1]
    os.close(again)
