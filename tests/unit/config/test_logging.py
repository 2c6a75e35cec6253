"""Facts become lines: readable on a terminal, JSON otherwise, under the node's name."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from runtime.adapters import SystemClock
from runtime.observe.logging import Log, open_log, route_standard_logging
from runtime.ports import Fact


class _StoppedClock(SystemClock):
    def now_s(self) -> float:
        return 1_700_000_000.25


class FakeClock(SystemClock):
    at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class LoggedPeerLost(Fact):
    level: ClassVar[str] = "warning"
    peer: str
    id: bytes
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class MessageHandled(Fact):
    level: ClassVar[str] = "debug"
    took_s: float


def _json_log(stream: io.StringIO, **options: Any) -> Log:
    return open_log(clock=_StoppedClock(), node="billing-1", stream=stream, **options)


def test_a_fact_is_a_json_line_when_nobody_watches() -> None:
    out = io.StringIO()
    _json_log(out).report(LoggedPeerLost("sales-1", b"\x01" * 16, ValueError("gone")))
    assert json.loads(out.getvalue()) == {
        "node": "billing-1",
        "event": "logged peer lost",
        "level": "warning",
        "at": "2023-11-14T22:13:20.250+00:00",
        "peer": "sales-1",
        "id": "01" * 16,
        "error": "ValueError: gone",
    }


def test_a_fact_is_readable_on_a_terminal() -> None:
    out = _Terminal()
    _json_log(out).report(LoggedPeerLost("sales-1", b"", None))
    assert "logged peer lost" in out.getvalue()
    assert "sales-1" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_what_is_below_the_level_is_not_shown() -> None:
    out = io.StringIO()
    quiet, chatty = _json_log(out), _json_log(out, level="debug")
    quiet.report(MessageHandled(0.1))
    assert out.getvalue() == ""
    chatty.report(MessageHandled(0.1))
    assert json.loads(out.getvalue())["event"] == "message handled"


def test_two_nodes_of_one_process_log_under_their_own_names() -> None:
    one, other = io.StringIO(), io.StringIO()
    first = open_log(clock=_StoppedClock(), node="one", stream=one)
    second = open_log(clock=_StoppedClock(), node="other", stream=other, level="error")
    first.info("started")
    second.error("failed")
    assert json.loads(one.getvalue())["node"] == "one"
    assert json.loads(other.getvalue())["node"] == "other"


def test_an_error_that_was_raised_is_logged_with_its_traceback() -> None:
    out = io.StringIO()
    try:
        raise RuntimeError("odd")
    except RuntimeError as error:
        _json_log(out).error("call failed", error=error)
    line = json.loads(out.getvalue())
    assert line["error"] == "RuntimeError: odd"
    assert "test_an_error_that_was_raised" in line["exception"]


def test_a_field_named_like_a_part_of_the_line_stays_beside_it() -> None:
    out = io.StringIO()
    _json_log(out)._write("info", "said", {"event": "OrderBilled", "level": 3, "node": "other"})
    line = json.loads(out.getvalue())
    assert (line["event"], line["event_"], line["level_"]) == ("said", "OrderBilled", 3)
    assert (line["node"], line["node_"]) == ("billing-1", "other")


def test_a_closed_stream_stops_nobody() -> None:
    out = io.StringIO()
    log = _json_log(out)
    out.close()
    log.report(LoggedPeerLost("sales-1", b"", None))


@pytest.fixture
def _root_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_root_handlers")
def test_what_libraries_log_goes_the_same_way() -> None:
    out = io.StringIO()
    route_standard_logging(_json_log(out), SystemClock())
    logging.getLogger("grpc").warning("stream %s broke", 7)
    logging.getLogger("grpc").info("not shown")
    line = json.loads(out.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("stream 7 broke", "grpc", "warning")


@pytest.mark.usefixtures("_root_handlers")
def test_what_libraries_log_again_and_again_is_counted() -> None:
    out = io.StringIO()
    clock = FakeClock()
    route_standard_logging(_json_log(out), clock)
    for number in range(1_000):
        logging.getLogger("grpc").warning("stream %s broke", number)
    clock.at_s += 10.0
    logging.getLogger("grpc").warning("stream %s broke", 1_000)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line.get("times_before")) for line in lines] == [
        ("stream 0 broke", None),
        ("stream 1000 broke", 999),
    ]


@pytest.mark.usefixtures("_root_handlers")
def test_what_libraries_log_in_ever_other_words_is_counted_too() -> None:
    out = io.StringIO()
    route_standard_logging(_json_log(out), FakeClock())
    for number in range(2_000):
        logging.getLogger("asyncio").error(f"socket {number} broke")
    assert 200 < len(out.getvalue().splitlines()) < 300
