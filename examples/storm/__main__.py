"""The storm's command line: `python -m examples.storm`, or `make storm SECONDS=60`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.storm.run import StormFailed, StormPlan, StormReport, StormRun
from runtime.adapters import SystemIds

__all__ = ["main"]

_SEED_MAX = 10**6
_NOW_MAX = 70  # characters of what is wrong now


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 everything adds up, 1 something is off, 2 bad input.",
)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="How long it rages.")
@click.option("--seed", type=click.IntRange(0), help="Which weather and which orders.  [default: a new one]")
@click.option(
    "--open", "open_max", type=click.IntRange(1, 1000), default=384, show_default=True, help="Orders at once."
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on a line of its own.")
@click.pass_context
def main(ctx: click.Context, seconds: float, seed: int | None, open_max: int, as_json: bool) -> None:
    """Orders in both styles over four node processes, while they are killed, frozen, cut off, delayed, asked twice.

    Then all is healed, every order has to end, and money and goods are added up from the files of a bank and a depot
    that no store of ours can roll back. Takes its SECONDS and about half a minute more.
    """
    if seed is None:
        seed = int.from_bytes(SystemIds().new_id(), "big") % _SEED_MAX
    plan = StormPlan(seconds, seed, open_max)
    click.echo(f"seed {seed}", err=True)
    try:
        report = uvloop.run(_run(plan))
    except StormFailed as error:
        report = error.report
        click.echo("\n".join((*report.faults[:20], str(error))), err=True)
    if as_json:
        click.echo(json.dumps(report.as_object()))
    else:
        click.echo("\n".join(_lines(report)))
    ctx.exit(0 if report.is_clean else 1)


async def _run(plan: StormPlan) -> StormReport:
    """With a bar on standard error, so that standard output stays for what was found."""
    columns = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("nodes start", total=plan.seconds)

        def show(storm: StormRun) -> None:
            progress.update(bar, completed=min(storm.raged_s, plan.seconds), description=_shown(storm))

        return await StormRun(plan).run(show)


def _shown(storm: StormRun) -> str:
    now = ", ".join(storm.chaos.now)
    rate_per_s = storm.customers.settled / max(storm.raged_s, 1.0)
    counted = f"{storm.customers.settled:,} orders, {rate_per_s:,.0f}/s, {storm.chaos.counts['kills']} kills"
    return f"{storm.phase}: {counted}; {now[:_NOW_MAX] or 'all is well'}"


def _lines(report: StormReport) -> Iterator[str]:
    figures = report.as_object()
    for name, value in figures.items():
        if name != "faults":
            yield f"{name.replace('_', ' '):16} {value:>12,}" if isinstance(value, int) else f"{name:16} {value!s:>12}"
    yield "everything adds up" if report.is_clean else f"OFF; again: --seed {report.plan.seed}"


if __name__ == "__main__":
    main()
