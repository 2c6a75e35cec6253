"""Where `amends` begins: before anything of it is imported that may not be installed.

    amends ─▶ main ─┬─ node ─▶ node.py ─▶ launch        has exit codes of its own
                    └─ any other ─▶ subcommands.py ─▶ admin, testing, protos.py, new.py

Like `python -m`, it finds modules in the current folder first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:
        sys.exit("Error: the current folder is gone; change to one that is there")
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)
    try:
        if sys.argv[1:2] == ["node"]:
            from runtime.cli.node import launch_here

            launch_here(sys.argv[2:])
        from runtime.cli.subcommands import amends
        from runtime.observe.console import run
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        sys.exit(f"Error: the command amends needs {package}: pip install 'amends[cli]'")
    run(amends, "amends")
