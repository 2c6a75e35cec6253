"""The test kit's command line. The exit code is 0 if all promises were kept, 1 if one was broken, 2 for bad input.

A command that a signal ends tells what it has found until then. Its exit code is 128 plus the signal's number.
"""

from __future__ import annotations

import click

from runtime.observe.console import run
from runtime.testing.commands.explore import explore
from runtime.testing.commands.failpoints import failpoints
from runtime.testing.commands.lint import lint
from runtime.testing.commands.replay import replay
from runtime.testing.commands.shrink import shrink
from runtime.testing.commands.simulate import simulate

__all__ = ["main", "proving"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all promises kept, 1 one was broken, 2 bad input, 7 not shown, 128 + a signal's number.",
)
def proving() -> None:
    """Run whole clusters in simulation, with faults that a seed draws."""


proving.add_command(simulate)
proving.add_command(replay)
proving.add_command(shrink)
proving.add_command(failpoints)
proving.add_command(lint)
proving.add_command(explore)


def main() -> None:
    run(proving, "python -m runtime.testing")
