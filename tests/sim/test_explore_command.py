"""`explore` on the command line: what it prints, how it ends, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.orchestration import OrderProcess
from protos.orders_pb2 import OrderProcessState
from runtime.operate.proofs.proof import Proof, ProofResult, SchedulesExplored
from runtime.operate.proofs.proof_file import read_file
from runtime.saga.saga import Saga
from runtime.testing.commands.group import proving
from tests.unit.testing.explorer.sagas import STARTED, bill, ship
from tests.unit.testing.explorer.test_wrong_sagas import void_by_label

FEW = ["--faults", "1", "--silences", "1", "--duplicates", "0", "--poisons", "0", "--replays", "0"]
ORDERS = "actors.orchestration:OrderProcess"


class Needy(Saga[OrderProcessState], kind="needy"):
    """Its label can only be voided when its id is known."""

    started_by = STARTED
    bill = bill()
    ship = ship(undo=void_by_label)
    flow = bill >> ship


def explored(proof: Proof) -> SchedulesExplored:
    assert isinstance(proof.did, SchedulesExplored)
    return proof.did


def test_a_right_saga_ends_with_one_object_that_says_all_was_seen(tmp_path: Path) -> None:
    file = tmp_path / "orders.proofs.json"
    done = CliRunner().invoke(proving, ["explore", ORDERS, *FEW, "--json", "--proof", str(file)])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["violations"], figures["complete"], figures["stopped_by"]) == (0, True, "")
    assert figures["states"] > 100 and set(figures["ends"]) == {"completed", "compensated", "stuck"}
    assert figures["bounds"]["faults_max"] == 1 and figures["found"] == []
    assert len(done.stdout.splitlines()) == 1
    [proof] = read_file(file)
    assert (proof.kind, proof.version) == ("order-process", OrderProcess.definition.fingerprint.hex())
    assert proof.is_whole and proof.made_at_s > 1.7e9 and proof.amends
    assert {"bounds": explored(proof).bounds, "states": explored(proof).states}.items() <= figures.items()


def test_a_wrong_saga_ends_with_the_shortest_schedule_as_a_diagram(tmp_path: Path) -> None:
    file = tmp_path / "needy.proofs.json"
    done = CliRunner().invoke(proving, ["explore", f"{__name__}:Needy", *FEW, "--proof", str(file)])
    assert done.exit_code == 1
    assert "not complete: stopped by violations" in done.stdout
    assert "author: undo of step ship raised ValueError: there is no label to void" in done.stdout
    assert "■ timer of step ship fires" in done.stdout
    [proof] = read_file(file)
    assert (proof.kind, proof.result, proof.short_of) == ("needy", ProofResult.BROKEN, "")
    assert proof.broke.startswith("author: undo of step ship raised ValueError")
    assert len(proof.shown_by.splitlines()) == 4, "the schedule, a line for each move"


def test_the_schedule_can_be_had_as_mermaid_and_as_json() -> None:
    done = CliRunner().invoke(proving, ["explore", f"{__name__}:Needy", *FEW, "--mermaid", "--json"])
    assert done.exit_code == 1
    (found, *_) = json.loads(done.stdout.splitlines()[-1])["found"]
    assert (found["check"], found["moves"], len(found["schedule"])) == ("author", 4, 4)
    assert found["mermaid"].startswith("sequenceDiagram\n")
    assert found["mermaid"] in done.stderr


def test_without_a_name_every_saga_of_the_project_is_explored() -> None:
    done = CliRunner().invoke(proving, ["explore", *FEW, "--json"])
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["saga"] for line in done.stdout.splitlines()] == ["OrderProcess"]


def test_sagas_are_named_one_by_one_or_by_their_catalogue() -> None:
    few = ["--faults", "0", "--silences", "0", "--cancels", "0"]
    done = CliRunner().invoke(proving, ["explore", ORDERS, "examples.trip.catalogue:catalogue", ORDERS, *FEW, *few])
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.stdout.splitlines() if " transitions, " in line] == [
        "OrderProcess",
        "BookTrip",
    ]


def test_without_a_name_and_without_a_catalogue_it_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(proving, ["explore"])
    assert done.exit_code == 2
    assert "name sagas as MODULE:SAGA" in done.output


def test_a_search_that_is_cut_short_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "orders.proofs.json"
    done = CliRunner().invoke(proving, ["explore", ORDERS, "--states", "50", "--proof", str(file)])
    assert done.exit_code == 0
    assert "not complete: stopped by states_max" in done.stdout
    [proof] = read_file(file)
    assert (proof.result, proof.is_whole) == (ProofResult.CLEAN, False)
    assert proof.short_of == f"stopped by states_max after {explored(proof).states} states"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["explore", "OrderProcess"],
            "'OrderProcess' names no saga: write MODULE:NAME, as in examples.trip.saga",
        ),
        (["explore", "no.such.module:Saga"], "no.such.module"),
        (["explore", "actors.orchestration:Orders"], "has no saga 'Orders'; it has OrderProcess"),
        (["explore", "actors.orchestration:bill_order"], "is no saga: it is a function; name a class that derives"),
        (["explore", "actors.billing:Billing"], "is no saga: it is the class Billing"),
        (["explore", "runtime.saga.saga:Saga"], "is no saga: it is the class Saga"),
        (["explore", ORDERS, "--faults", "-1"], "-1 is not in the range"),
        (["explore", ORDERS, "--asks", "0"], "0 is not in the range"),
        (["explore", ORDERS, "--proof", "no/such/folder/x.json"], "folder no/such/folder is not there; make it first"),
    ],
)
def test_bad_input_is_named(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(proving, arguments)
    assert done.exit_code == 2
    assert says in done.output


def test_a_module_whose_saga_makes_no_sense_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "senseless.py").write_text("from runtime.saga.saga import Saga\nclass X(Saga, kind=''): ...\n")
    (tmp_path / "broken.py").write_text("class X(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = CliRunner().invoke(proving, ["explore", "senseless:X"])
    assert done.exit_code == 2
    assert "senseless defines something that cannot work: saga X needs a kind" in done.output
    done = CliRunner().invoke(proving, ["explore", "broken:X"])
    assert done.exit_code == 2
    assert "broken cannot be imported: SyntaxError" in done.output
