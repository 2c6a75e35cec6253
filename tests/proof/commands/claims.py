"""`claims`: breaks each numbered behaviour once, and says which of their tests do not see it."""

from __future__ import annotations

import sys
from subprocess import run

import click

__all__ = ["claims"]


@click.command()
@click.argument("tests", nargs=-1, metavar="[FILE or NODE]...")
@click.option("--only", metavar="NUMBER", help="Only this behaviour, e.g. 105.")
@click.pass_context
def claims(ctx: click.Context, tests: tuple[str, ...], only: str | None) -> None:
    """Run the tests of docs/proof/scenarios.md, each with the planted bug that it names, and require that they fail.

    Without arguments all of them run. The exit code is that of pytest: 1 if a test passes with its bug.
    """
    chosen = () if only is None else ("-k", f"_s{only}_")
    command = [sys.executable, "-m", "pytest", "-p", "tests.proof.mutants.claims", "-q", "--timeout", "60"]
    ctx.exit(run([*command, *chosen, *(tests or ("tests",))]).returncode)
