"""Runs tests with a bug planted in the product: `python -m tests.sim.with_mutant NAME PYTEST-ARGUMENTS`.

Ends as pytest does: with 1 if the tests tell.
"""

from __future__ import annotations

import sys

import pytest

from tests.proof.mutants.registry import MUTANTS, UNHUNTED
from tests.proof.mutants.switchboard import planted

if __name__ == "__main__":
    with planted({**MUTANTS, **UNHUNTED}[sys.argv[1]]):
        sys.exit(pytest.main(sys.argv[2:]))
