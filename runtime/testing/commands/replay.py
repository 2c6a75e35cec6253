"""`replay`: one seed again, step by step the same."""

from __future__ import annotations

import json

import click

from runtime.testing.commands import options
from runtime.testing.commands.loading import workload_named
from runtime.testing.commands.story import as_object, story
from runtime.testing.simulation.run import simulate_seed

__all__ = ["replay"]


@click.command()
@click.argument("seed", type=click.IntRange(0))
@options.workload
@options.calm
@options.as_json
@click.pass_context
def replay(ctx: click.Context, seed: int, name: str, calm: bool, as_json: bool) -> None:
    """Run one seed again, and tell how it went."""
    result = simulate_seed(seed, workload_named(name)(), calm=calm)
    if as_json:
        click.echo(json.dumps(as_object(result)))
    else:
        click.echo("\n".join(story(result)))
    ctx.exit(1 if result.violations else 0)
