"""I15 for batches of more rows than a statement of the SQLite store takes: whoever lost stands alone, in any place."""

import asyncio
from pathlib import Path

import pytest

from runtime.store.records import Verdict
from runtime.store.sqlite import commit
from runtime.testing.virtual.dice import Dice
from tests.contract.large_batches import Unwritable, differences, drawn

BATCHES = 60


def found(size: int, wrong: Unwritable, folder: Path) -> list[str]:
    return list(asyncio.run(differences(size, wrong, folder / "amends.db")))


@pytest.mark.parametrize("number", range(BATCHES))
def test_i15_who_lost_in_a_large_batch_stands_alone_on_sqlite_as_in_memory(number: int, tmp_path: Path) -> None:
    size, wrong = drawn(Dice(number, "large batches"))
    assert found(size, wrong, tmp_path) == []


def test_what_is_answered_otherwise_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "_verdict", lambda *_: Verdict.COMMITTED)
    told = found(33, Unwritable(late=frozenset({32})), tmp_path)
    assert "transition 32 of 33 is COMMITTED, not CONFLICT" in told and "the rows differ that are left" in told


def test_each_kind_of_loser_is_drawn() -> None:
    every = [drawn(Dice(number, "large batches"))[1] for number in range(BATCHES)]
    for kind in ("late", "bereft", "parked", "handled", "posted", "twice"):
        assert sum(bool(getattr(one, kind)) for one in every) > BATCHES / 4, kind
