"""What runs have shown is written into a file by their own results, broken promises too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.trip.catalogue import catalogue
from examples.trip.clients import Travellers
from examples.trip.saga import BookTrip
from runtime.adapters import SystemClock
from runtime.errors import InvalidMessage, InvalidSettings
from runtime.operate.proofs.proof import SchedulesExplored, SeedsSimulated
from runtime.operate.proofs.proof_file import read_file
from runtime.testing import Bounds, SeedBatch, Violation, explore, simulate, write_proofs
from runtime.testing.runs.sometimes import JUDGED_SEEDS

CALM = Bounds(0, 0, 0, 0, 0, 0, 0, states_max=40)
VERSION = BookTrip.definition.fingerprint.hex()


class Suspicious(Travellers):
    """Holds that nothing was ever right."""

    def check(self) -> Iterator[Violation]:
        yield Violation("I5", "it cannot be right")


def test_an_exploration_and_a_simulation_go_into_one_file_as_proofs_of_one_definition(tmp_path: Path) -> None:
    explored, simulated = explore(BookTrip, bounds=CALM), simulate(catalogue, Travellers, seeds=[4, 7], calm=True)
    write_proofs(tmp_path / "trip.json", explored, simulated)
    one, other = read_file(tmp_path / "trip.json")
    assert (one.kind, one.version) == (other.kind, other.version) == ("book-trip", VERSION)
    assert isinstance(one.did, SchedulesExplored) and isinstance(other.did, SeedsSimulated)
    assert (one.did.states, one.did.bounds["states_max"]) == (explored.states, 40)
    assert (other.did.first_seed, other.did.last_seed, other.did.is_whole) == (4, 7, False)
    assert (other.did.begun, other.did.begun_in) == (simulated.figures["started"], 2)
    assert other.did.workload.startswith("examples.trip.clients:Travellers@")
    assert other.short_of == "a calm run has no faults", "it proves too little"


def test_a_broken_promise_counts_against_each_saga_that_the_runs_have_begun() -> None:
    [proof] = simulate(catalogue, Suspicious, seeds=[9, 5], calm=True).proofs()
    assert proof.broke == "I5: it cannot be right"
    assert proof.shown_by.startswith("python -m runtime.testing replay 5 --workload ")


def test_a_large_batch_that_met_too_little_says_so_in_its_proof() -> None:
    batch = SeedBatch(SystemClock(), seeds=JUDGED_SEEDS, expected=("killed",), ran={1})
    batch.begun.add({("book-trip", VERSION): 3})
    batch.figures.update(started=10, completed=10)
    [proof] = batch.proofs()
    assert proof.short_of == f"it hardly met killed (0 of {JUDGED_SEEDS} seeds, 1 wanted)"
    assert not proof.is_whole


def test_a_batch_that_began_no_saga_has_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidMessage, match="nothing was proven, for no saga was begun"):
        write_proofs(tmp_path / "none.json", SeedBatch(SystemClock()))
    assert not (tmp_path / "none.json").exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    batch = SeedBatch(SystemClock(), ran={1})
    batch.begun.add({("book-trip", VERSION): 3})
    with pytest.raises(InvalidSettings, match=r"written to .*none/trip.json: No such file .*; name a file in"):
        write_proofs(tmp_path / "none" / "trip.json", batch)
