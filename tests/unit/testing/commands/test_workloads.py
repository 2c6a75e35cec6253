"""Workloads that a project has named in its pyproject.toml, and what the commands say of names that do not fit."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runtime.project import FILE
from runtime.testing.commands.group import proving
from runtime.testing.commands.workloads import first, named

TRIPS = 'trips = "examples.trip.clients:Travellers@examples.trip.catalogue:catalogue"'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where a command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / FILE


def replayed(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(proving, ["replay", "1", "--calm", *arguments])
    return done.exit_code, " ".join(done.output.split())


def test_a_workload_is_run_by_the_name_that_the_project_gave_it(project: Path) -> None:
    project.write_text(f'[tool.amends.workloads]\nother = "no.such:thing"\n{TRIPS}\n', encoding="utf-8")
    code, said = replayed("--workload", "trips")
    assert code == 0 and "seed 1" in said


def test_the_first_workload_is_the_default(project: Path) -> None:
    project.write_text(f'[tool.amends.workloads]\n{TRIPS}\nother = "no.such:thing"\n', encoding="utf-8")
    assert first() == "trips" and list(named()) == ["trips", "other"]
    code, said = replayed()
    assert code == 0 and "seed 1" in said


def test_without_a_file_or_a_table_nothing_is_named_and_the_way_out_is_told(project: Path) -> None:
    for text in (None, "", "[tool.other]\nkey = 1\n", "[tool.amends]\n"):
        if text is not None:
            project.write_text(text, encoding="utf-8")
        assert named() == {}
        with pytest.raises(click.UsageError, match="name a workload by --workload MODULE:NAME"):
            first()
        code, said = replayed()
        assert code == 2 and "[tool.amends.workloads]" in said


@pytest.mark.parametrize(
    "text",
    [
        '[tool.amends]\nworkloads = "trips"\n',
        "[tool]\namends = 1\n",
        "tool = 1\n",
        "[tool.amends.workloads]\ntrips = 1\n",
        '[tool.amends.workloads]\ntrips = ""\n',
        '[tool.amends.workloads.trips]\nclients = "a:b"\n',
    ],
)
def test_a_table_of_another_shape_is_refused_with_a_line_that_would_do(project: Path, text: str) -> None:
    project.write_text(text, encoding="utf-8")
    code, said = replayed()
    cures = ('[tool.amends.workloads] is to hold lines like name = "MODULE:CLIENTS@', "amends is to be a table, as in")
    assert code == 2 and any(cure in said for cure in cures)


@pytest.mark.parametrize("content", [b"[tool.amends.workloads\n", b"name = \xff\n"])
def test_a_file_that_cannot_be_read_is_named(project: Path, content: bytes) -> None:
    project.write_bytes(content)
    code, said = replayed()
    assert code == 2 and "cannot be read" in said and FILE in said


@pytest.mark.parametrize(
    ("workload", "says"),
    [
        ("no.such.module:thing", "no.such.module cannot be imported"),
        ("no.such.module:Clients@examples.trip.catalogue:catalogue", "no.such.module cannot be imported"),
        ("examples.trip.clients:Travellers@no.such.module:catalogue", "no.such.module cannot be imported"),
        ("examples.trip.clients:Nobody", "has no workload 'Nobody'; it has"),
        ("examples.trip.clients:Travellers", "needs a catalogue too"),
        ("examples", "'examples' names no workload: write MODULE:NAME"),
    ],
)
def test_a_workload_that_cannot_be_had_is_bad_input(project: Path, workload: str, says: str) -> None:
    project.write_text(f'[tool.amends.workloads]\nmine = "{workload}"\n', encoding="utf-8")
    code, said = replayed()
    assert code == 2 and says in said and "Traceback" not in said


def test_a_name_that_the_project_does_not_have_is_answered_with_those_it_has(project: Path) -> None:
    project.write_text(f"[tool.amends.workloads]\n{TRIPS}\n", encoding="utf-8")
    code, said = replayed("--workload", "orders")
    assert code == 2 and "no workload 'orders'; name trips, or MODULE:NAME" in said
