"""The linter for what breaks replay: where it looks, and what its command says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.catalogue import catalogue
from runtime.errors import InvalidDefinition
from runtime.saga.catalogue import Catalogue
from runtime.testing.commands.group import proving
from runtime.testing.determinism.sources import LEFT_OUT, check_catalogue, lint_catalogue
from tests.proof.workloads.orders import Orders
from tests.tidy.source import ROOT
from tests.unit.testing.determinism import careless_service


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_of_the_runtime_is_there(name: str) -> None:
    assert (ROOT / "runtime" / name).exists()


def test_the_command_tells_file_line_and_cure_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import uuid\nKEY = uuid.uuid4()\n", encoding="utf-8")
    done = CliRunner().invoke(proving, ["lint", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path}/a.py:2: new-identity: uuid.uuid4 makes another id in each run; derive it" in done.output

    done = CliRunner().invoke(proving, ["lint", str(tmp_path), "--json"])
    (finding,) = json.loads(done.stdout.splitlines()[-1])["findings"]
    assert done.exit_code == 1 and (finding["line"], finding["name"]) == (2, "new-identity")


def test_the_command_ends_with_0_when_nothing_is_found_and_says_what_it_left_out() -> None:
    done = CliRunner().invoke(proving, ["lint", str(ROOT / "runtime" / "adapters.py"), str(ROOT / "runtime/record.py")])
    assert (done.exit_code, done.output) == (0, "1 files read, 0 findings\n")


@pytest.mark.parametrize(("name", "text"), [("a.py", "def ("), ("b.py", "\xff")])
def test_the_command_ends_with_2_for_what_it_cannot_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    done = CliRunner().invoke(proving, ["lint", str(tmp_path)])
    assert done.exit_code == 2 and f"{name} is no Python source" in done.output
    assert CliRunner().invoke(proving, ["lint", str(tmp_path / "nothing")]).exit_code == 2


def test_reading_nothing_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no source", encoding="utf-8")
    done = CliRunner().invoke(proving, ["lint", str(tmp_path)])
    assert (done.exit_code, f"no Python source is in {tmp_path}" in done.output) == (2, True)


def test_a_catalogue_is_read_where_its_services_sagas_and_choreographies_are_defined() -> None:
    linted = lint_catalogue(catalogue())
    names = sorted(Path(file).name for file in linted.files)
    assert names == ["billing.py", "choreography.py", "orchestration.py", "sales.py", "warehouse.py"]
    assert not linted.findings


def careless() -> Catalogue:
    return careless_service.catalogue()


class DrawingOrders(Orders):
    """A workload whose catalogue draws from the process's randomness, in a module that a handler calls."""

    def __init__(self) -> None:
        self.catalogue = careless()


def test_a_catalogue_that_cannot_be_replayed_is_refused_with_file_line_and_cure() -> None:
    with pytest.raises(InvalidDefinition, match=r"careless_prices\.py:\d+: global-random: .*message id") as refused:
        check_catalogue(careless())
    assert "careless_service.py" in str(refused.value) and "clock" in str(refused.value)


@pytest.mark.parametrize("command", [["simulate", "--seeds", "1"], ["replay", "1"]])
def test_a_simulation_of_such_a_catalogue_ends_with_2_before_it_runs(command: list[str]) -> None:
    done = CliRunner().invoke(proving, [*command, "--workload", f"{__name__}:DrawingOrders"])
    assert done.exit_code == 2
    assert "careless_prices.py" in done.output and "global-random" in done.output
