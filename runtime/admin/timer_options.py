"""What an act on a timer takes on the command line: which timer, and when it fires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from runtime.admin.arguments import SECONDS
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["INSTANT", "Timing", "timer_options"]


class _Instant(click.ParamType[float]):
    """An instant as ISO 8601 has it, with its time zone; in seconds since 1970."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                self.fail(f"{value!r} has no time zone; for that of Greenwich: {value}Z", param, ctx)
            return instant.timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no instant; write one like 2027-01-31T18:00Z", param, ctx)


INSTANT = _Instant()

_OPTIONS = (
    click.option("--timer", default="", metavar="NAME", help="Of move-timer and cancel-timer: as `timers` names it."),
    click.option("--now", is_flag=True, help="Of move-timer: it fires now."),
    click.option("--at", "at_s", type=INSTANT, metavar="INSTANT", help="Of move-timer: e.g. 2027-01-31T18:00Z."),
    click.option("--in", "in_s", type=SECONDS, metavar="SECONDS", help="Of move-timer: so long from now."),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """The timer that an act names, and when it is to fire."""

    timer: str = ""
    now: bool = False
    at_s: float | None = None
    in_s: float | None = None

    def put(self, act: RepairSaga) -> RepairSaga:
        """The act with these. Raises UsageError for more than one instant."""
        if self.now + (self.at_s is not None) + (self.in_s is not None) > 1:
            raise click.UsageError("--now, --at and --in are three ways to say when; leave two of them out")
        act.timer = self.timer
        if self.at_s is not None:
            act.due_at_s = self.at_s
        elif self.now or self.in_s is not None:
            act.in_s = self.in_s or 0.0
        return act


def timer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
