"""What the command line tells of runs over many: one line an item, or JSON, and an exit code."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import click
from rich import box
from rich.table import Table

from runtime.admin.tables import printable
from runtime.observe.console import say_json
from runtime.operate.audit import ActEntry
from runtime.operate.letter_groups import LetterGroup
from runtime.operate.objects import item_object, run_object
from runtime.operate.runs import RunItem, RunView
from runtime.operate.spans import span

__all__ = ["IN_PART", "REFUSED", "acts_table", "groups_table", "runs_table", "say_kept", "tell_run", "whole_run"]

REFUSED, IN_PART = 5, 9


def whole_run(run: RunView) -> dict[str, object]:
    return {**run_object(run), "items": [item_object(one) for one in run.items]}


def say_kept(name: str) -> None:
    """On stderr, before the run begins: who ends the command knows how it goes on."""
    click.echo(f"kept as the run {name!r}; after an interrupt go on with: {_resume(name)}", err=True)


def tell_run(run: RunView, as_json: bool, *, more: int = 0) -> None:
    """What came of each item; exits with 5 if some were refused, 9 if some are left or `more` would have fitted."""
    if as_json:
        say_json({**whole_run(run), "more": more}, indent=2)
    else:
        for one in run.items:
            click.echo(f"{_named(one)}: {_came_of(one)}")
        click.echo(f"{run.done} done, {run.refused} refused, {run.left} left")
        if run.cancelled:
            click.echo(f"cancelled by {printable(run.cancelled)}")
        if more:
            click.echo(f"{more} more fit, beyond --limit")
    if run.left and not run.cancelled:
        click.echo(f"some are left; go on with: {_resume(run.name)}", err=True)
    if run.refused and not run.left:
        raise SystemExit(REFUSED)
    if run.left or more:
        raise SystemExit(IN_PART)


def runs_table(runs: Iterable[RunView], now_s: float) -> Table:
    table = Table("run", "act", "began", "by", "why", "chosen", "done", "refused", "left", "", box=box.SIMPLE_HEAD)
    for one in runs:
        stands = "cancelled" if one.cancelled else "" if one.left else "ended"
        texts = (one.name, one.act, f"{span(now_s - one.began_at_s)} ago", one.who, one.reason, one.chosen_by)
        table.add_row(*map(printable, texts), str(one.done), str(one.refused), str(one.left), stands)
    return table


def acts_table(acts: Iterable[ActEntry], now_s: float) -> Table:
    table = Table("at", "by", "act", "to", "why", "is", "text", box=box.SIMPLE_HEAD)
    for one in acts:
        is_ = "done" if one.is_done else "refused"
        texts = (f"{span(now_s - one.at_s)} ago", one.who, one.act, one.to, one.why, is_, one.text)
        table.add_row(*map(printable, texts))
    return table


def groups_table(groups: Iterable[LetterGroup], now_s: float) -> Table:
    table = Table("kind", "message", "class of error", "letters", "first", "last", "example", box=box.SIMPLE_HEAD)
    for one in groups:
        first, last = (f"{span(now_s - at_s)} ago" for at_s in (one.first_parked_at_s, one.last_parked_at_s))
        texts = (one.kind, one.type or "unreadable", one.error_class, str(one.count), first, last, one.example)
        table.add_row(*map(printable, texts))
    return table


def _resume(name: str) -> str:
    return f"amends admin runs resume {shlex.quote(name)}"


def _named(item: RunItem) -> str:
    return f"{item.letter} {item.type or 'unreadable'} for {item.what!r}" if item.letter else item.what


def _came_of(item: RunItem) -> str:
    if not item.handled:
        return "left"
    return f"refused: {item.refusal}" if item.refusal else "done"
