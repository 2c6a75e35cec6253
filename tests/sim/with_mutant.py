"""Runs tests with a bug planted in the product, each time in a process of its own.

    python -m tests.sim.with_mutant ──NAME TESTS, a line each──▶ a forked process plants the bug and runs pytest
                                    ◀──its exit code, a line each──┘

To import the product and all mutants takes longer than most of these tests do. So it is done once, and each process is
forked with all of it. A process that has not ended after five minutes is killed, and its exit code is negative.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Never

import pytest

from tests.proof.mutants.registry import MUTANTS, UNHUNTED
from tests.proof.mutants.switchboard import planted

__all__ = ["ForkingRunner"]

ROOT = Path(__file__).parents[2]
_LASTS_S = 300
_NO_RUN = 70  # The exit code if the bug cannot be planted, or pytest breaks down. Pytest has none so high.


class ForkingRunner:
    """Runs tests with one bug after another. All that they write is added to the file `told`. `close` ends it."""

    def __init__(self, told: Path) -> None:
        self._told = told
        command = [sys.executable, "-m", "tests.sim.with_mutant"]
        with told.open("ab") as file:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, bufsize=1
            )

    def run(self, name: str, tests: str) -> tuple[int, str]:
        """Returns the exit code of pytest, and what it has written. Raises ValueError if the process is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        begins = self._told.stat().st_size
        self._process.stdin.write(f"{name} {tests}\n")
        code = int(self._process.stdout.readline())
        return code, self._told.read_bytes()[begins:].decode()

    def close(self) -> None:
        self._process.communicate()


def _serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _end(*line.split())
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _end(name: str, tests: str) -> Never:
    """Ends this process as pytest does. No error may end it as a test does that has failed."""
    code = _NO_RUN
    try:
        signal.alarm(_LASTS_S)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)  # What pytest writes goes where errors go, since exit codes are the output.
        with planted({**MUTANTS, **UNHUNTED}[name]):
            code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", tests]))
    except BaseException:  # noqa: BLE001 - it ends in `finally`, and the parent tells
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
