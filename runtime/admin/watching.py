"""`--watch`: what a listing shows, anew every few seconds, until somebody ends it.

    a terminal     the whole screen, drawn over what it had; q, Ctrl-C and signals end it
    a file, a pipe one listing below the other; signals end it

Each round is the command itself, run anew with its output caught. So each listing can be watched, and knows nothing of
that.
"""

from __future__ import annotations

import contextlib
import io
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from runtime.admin.session import Session
from runtime.observe.signals import Ended, ended_by_signals

__all__ = ["EVERY_S", "watch", "watchable"]

EVERY_S = 2.0
_LEAST_S = 0.2
_END_KEYS = ("q", "Q", "\x03")


def watchable(command: click.Command) -> None:
    """Give a command that only lists the option `--watch [SECONDS]`."""
    callback = command.callback
    assert callback is not None

    def run(*args: Any, watch_s: float | None, **options: Any) -> Any:
        ctx = click.get_current_context()
        if watch_s is None:
            return callback(*args, **options)
        if ctx.invoked_subcommand is not None:
            raise click.UsageError(f"--watch is for the listing; leave it out with {ctx.invoked_subcommand}")
        return watch(ctx.obj, lambda: callback(*args, **options), watch_s)

    command.callback = run
    about = f"List anew every SECONDS, until q or Ctrl-C.  [default: {EVERY_S:g}]"
    option = click.Option(
        ["--watch", "watch_s"],
        type=click.FloatRange(min=_LEAST_S),
        is_flag=False,
        flag_value=str(EVERY_S),
        metavar="[SECONDS]",
        help=about,
    )
    command.params.append(option)


def watch(session: Session, show: Callable[[], object], every_s: float) -> None:
    """Have `show` print anew, until somebody ends it. What it raises at first goes on to the caller."""
    with contextlib.suppress(Ended, KeyboardInterrupt):
        if sys.stdout.isatty():
            _on_screen(session, show, every_s)
        else:
            _one_below_the_other(session, show, every_s)


def _one_below_the_other(session: Session, show: Callable[[], object], every_s: float) -> None:
    while True:
        try:
            show()
        except click.ClickException:
            if session.told:  # by a signal, and that is how a watch ends
                return
            raise
        sys.stdout.flush()
        with ended_by_signals():
            select.select([], [], [], every_s)


def _on_screen(session: Session, show: Callable[[], object], every_s: float) -> None:
    """What a round says before it exits is left on the terminal, with its exit code."""
    last = ""
    try:
        with _keys() as pressed, Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
            text, wrong = _caught(show), ""
            while not session.told:
                last = text
                with ended_by_signals():
                    live.update(_drawn(session, text, wrong, every_s), refresh=True)
                    if pressed(every_s) in _END_KEYS:
                        return
                try:
                    text, wrong = _caught(show), ""
                except click.ClickException as error:  # the store is away, perhaps not for long
                    wrong = error.format_message()
    except _Exits as ends:
        click.echo(ends.text or last, nl=False)
        raise SystemExit(ends.code) from None


def _drawn(session: Session, text: str, wrong: str, every_s: float) -> Group:
    at = datetime.fromtimestamp(session.now_s(), UTC)
    head = f"{at:%H:%M:%S} UTC, anew every {every_s:g} s; q ends"
    lines = [Text(head, style="dim"), Text.from_ansi(text)]
    if wrong:
        lines.insert(1, Text(f"what is shown may be old: {wrong}", style="bold red"))
    return Group(*lines)


class _Exits(Exception):
    """A listing ends the command with an exit code of its own, as --exit-code asks for."""

    def __init__(self, code: object, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


class _Caught(io.StringIO):
    """What is printed for a terminal, warnings included."""

    def isatty(self) -> bool:
        return True


def _caught(show: Callable[[], object]) -> str:
    caught = _Caught()
    try:
        with contextlib.redirect_stdout(caught), contextlib.redirect_stderr(caught):
            show()
    except SystemExit as ends:
        raise _Exits(ends.code, caught.getvalue()) from None
    return caught.getvalue()


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Gives what waits for a key, one at a time and unseen; empty if none came in so many seconds."""
    if not sys.stdin.isatty():
        yield _no_key
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def pressed(within_s: float) -> str:
        ready, _, _ = select.select([number], [], [], within_s)
        return sys.stdin.read(1) if ready else ""

    try:
        tty.setcbreak(number)
        yield pressed
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _no_key(within_s: float) -> str:
    select.select([], [], [], within_s)
    return ""
