"""Logs: every fact a layer reports as one line, for people on a terminal, as JSON otherwise.

    any layer ──Fact──▶ Log.report ──▶ event, node, fields ──▶ console or JSON ──▶ Lines ──▶ stderr
    grpc, asyncio ──logging.LogRecord──▶ route_standard_logging ──▶ the same Log

A Log is an object of its own node: nothing global is configured, so two nodes of one process log under their names.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal, TextIO, cast

import structlog

from runtime.observe.console import takes_utf_8
from runtime.observe.lines import Lines
from runtime.ports import Clock, Fact, Handling

__all__ = ["Level", "Log", "LogFormat", "open_log", "route_standard_logging"]

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]

_RANK: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_RECORDS_MAX = 256  # of libraries, told apart at a time
_AGAIN_S = 10.0  # that one of them is counted after it was shown
_OF_THE_LINE = frozenset({"event", "level", "at", "node", "exc_info"})  # a field of such a name gets a trailing _
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Log:
    """What a node logs with. `report` is the Report port; the rest is for the edges, which have more to say."""

    def __init__(self, logger: structlog.typing.WrappedLogger, level: Level) -> None:
        self._logger = logger
        self._rank = _RANK[level]
        self._shapes: dict[type[Fact], tuple[str, tuple[str, ...]]] = {}  # bounded by the number of classes of facts
        self._lines: Lines | None = None
        self._handling: Handling | None = None
        self._thread = 0

    def follow(self, handling: Handling) -> None:
        """From now on, a line that a handler writes names the conversation of its message. Call it from the loop.

        Lines of other threads name none: what the loop runs at that moment is nothing to them.
        """
        self._handling, self._thread = handling, threading.get_ident()  # replay: only compared

    def drain(self, within_s: float) -> None:
        """For the end of a process: wait until what was logged is written, for so long at most."""
        if self._lines is not None:
            self._lines.drain(within_s)

    def enabled(self, level: Level) -> bool:
        """Ask before gathering fields that cost something."""
        return _RANK[level] >= self._rank

    def report(self, fact: Fact) -> None:
        """Show a fact; one below the level costs a comparison. Never raises."""
        if _RANK.get(fact.level, 40) < self._rank:
            return
        event, names = self._shape(type(fact))
        self._write(fact.level, event, {name: getattr(fact, name) for name in names})

    def debug(self, event: str, **values: object) -> None:
        self._say("debug", event, values)

    def info(self, event: str, **values: object) -> None:
        self._say("info", event, values)

    def warning(self, event: str, **values: object) -> None:
        self._say("warning", event, values)

    def error(self, event: str, **values: object) -> None:
        self._say("error", event, values)

    def _say(self, level: Level, event: str, values: dict[str, object]) -> None:
        if self.enabled(level):
            self._write(level, event, values)

    def _shape(self, kind: type[Fact]) -> tuple[str, tuple[str, ...]]:
        shape = self._shapes.get(kind)
        if shape is None:
            words = _WORD_STARTS.sub(" ", kind.__name__).lower()
            shape = self._shapes[kind] = (words, tuple(field.name for field in fields(kind)))
        return shape

    def _write(self, level: str, event: str, values: Mapping[str, object]) -> None:
        line: dict[str, object] = {}
        for name, value in values.items():
            line[f"{name}_" if name in _OF_THE_LINE else name] = _shown(value)
            if isinstance(value, BaseException) and value.__traceback__ is not None and level == "error":
                line["exc_info"] = value
        handled = None if self._handling is None else self._handling.message
        if handled is not None and threading.get_ident() == self._thread:  # replay: as above
            line.setdefault("conversation", handled.conversation.hex())
            line.setdefault("trace", self._handling.trace_of(handled) if self._handling else "")
        if not line.get("trace", "traced"):
            del line["trace"]
        try:
            getattr(self._logger, level)(event, **line)
        except (OSError, ValueError):  # a closed terminal or a full disk must not stop a node
            pass


def open_log(
    *, clock: Clock, node: str = "", format: LogFormat = "auto", level: Level = "info", stream: TextIO | None = None
) -> Log:
    """A log on `stream` (stderr if none): readable if it is a terminal or `console` is asked for, JSON otherwise.

    What is logged to a file descriptor passes through a thread, so that nobody waits for its reader.
    """
    out = stream or sys.stderr
    readable = format == "console" or (format == "auto" and out.isatty())

    def stamp(_: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        at = datetime.fromtimestamp(clock.now_s(), UTC)
        line["at"] = at.strftime("%H:%M:%S.%f")[:-3] if readable else at.isoformat(timespec="milliseconds")
        line["level"] = method
        return line

    renderer: structlog.typing.Processor
    if readable:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at", pad_event_to=28)
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=not takes_utf_8(out))
    traceback: list[structlog.typing.Processor] = [] if readable else [structlog.processors.format_exc_info]
    lines = (
        Lines(out, lambda dropped: log.warning("log lines were dropped", dropped=dropped)) if _is_file(out) else None
    )
    logger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", lines or out)),
        processors=[stamp, *traceback, renderer],
        wrapper_class=structlog.BoundLogger,
        context_class=dict,
    )
    log = Log(logger.bind(node=node) if node else logger, level)
    log._lines = lines
    return log


def _is_file(out: TextIO) -> bool:
    """Whether it has a descriptor, and may so keep its writer waiting; a text in memory has none."""
    try:
        return out.fileno() >= 0
    except (OSError, ValueError):
        return False


class _Routed(logging.Handler):
    """Hands records of the standard library's logging to a Log. One that comes again at once is counted."""

    def __init__(self, log: Log, clock: Clock) -> None:
        super().__init__()
        self._log = log
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}  # until when it is not said again; how often not

    def emit(self, record: logging.LogRecord) -> None:
        skipped = self._skipped(record)
        if skipped is None:
            return
        level = max((name for name in _RANK if _RANK[name] <= record.levelno), key=_RANK.__getitem__, default="debug")
        values: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            values["error"] = record.exc_info[1]
        if skipped:
            values["times_before"] = skipped
        getattr(self._log, level)(record.getMessage(), **values)

    def _skipped(self, record: logging.LogRecord) -> int | None:
        """How often this was not shown since it was shown last; None if it is not to be shown now either."""
        now_s = self._clock.monotonic_s()
        key = (record.name, record.levelno, str(record.msg))  # as it was before its values were put in
        if key not in self._said and len(self._said) >= _RECORDS_MAX:
            self._said = {one: kept for one, kept in self._said.items() if kept[0] > now_s}
            if len(self._said) >= _RECORDS_MAX:
                key = (record.name, record.levelno, "")  # all that it says
        until_s, skipped = self._said.get(key, (0.0, 0))
        if now_s < until_s:
            self._said[key] = until_s, skipped + 1
            return None
        self._said[key] = now_s + _AGAIN_S, 0
        return skipped


def route_standard_logging(log: Log, clock: Clock) -> None:
    """Send what libraries log (grpc, asyncio) the same way. For a process's launcher: it replaces the root handlers."""
    root = logging.getLogger()
    root.handlers[:] = [_Routed(log, clock)]
    root.setLevel(logging.INFO if log.enabled("debug") else logging.WARNING)


def _shown(value: object) -> object:
    """A field as a log shows it: ids in hex, errors as their text, seconds without a tail of digits."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 16 else f"{len(value)} bytes"
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, (tuple, list, set, frozenset)):
        shown = [_shown(one) for one in value]
        return sorted(shown, key=str) if isinstance(value, (set, frozenset)) else shown
    return str(value)
