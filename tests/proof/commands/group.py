"""The laboratory's command line: that of users, with the planted bugs and the power cuts beside it."""

from __future__ import annotations

import click

from runtime.observe.console import run
from runtime.testing.commands.group import proving
from tests.proof.commands.claims import claims
from tests.proof.commands.machines import machines
from tests.proof.commands.mutants import mutants
from tests.proof.commands.powercuts import powercuts

__all__ = ["laboratory", "main"]

laboratory = click.CommandCollection(
    "laboratory",
    sources=[proving, click.Group("own", commands=[claims, machines, mutants, powercuts])],
    context_settings=proving.context_settings,
    help="Run whole clusters in simulation, under faults drawn from a seed; plant bugs in them; cut their power; break "
    "real ones.",
    epilog=proving.epilog,
)


def main() -> None:
    run(laboratory, "python -m tests.proof")
