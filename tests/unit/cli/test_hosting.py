"""What `amends node` hosts is what the project names; a name that leads nowhere is told with its cause and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cli.hosting import find_hosting
from runtime.errors import InvalidSettings

CATALOGUE = '[tool.amends]\ncatalogue = "actors.catalogue:catalogue"\n'
ODD = "tests.unit.cli.odd"


def project(folder: Path, content: str) -> Path:
    (folder / "pyproject.toml").write_text(content, encoding="utf-8")
    return folder


def test_the_catalogue_and_the_services_that_the_project_names(tmp_path: Path) -> None:
    hosting = find_hosting(project(tmp_path, f'{CATALOGUE}register = ["actors.gateway:register"]'))
    assert "billing" in hosting.catalogue.service_names
    assert [one.__module__ for one in hosting.register] == ["actors.gateway"]


def test_the_command_line_names_another_one(tmp_path: Path) -> None:
    hosting = find_hosting(project(tmp_path, CATALOGUE), "examples.trip.catalogue:catalogue")
    assert "hotels" in hosting.catalogue.service_names


def test_a_catalogue_that_is_made_already_is_taken(tmp_path: Path) -> None:
    assert find_hosting(tmp_path, f"{ODD}:MADE").catalogue.service_names == ("billing",)


def test_two_catalogues_in_one_process_have_nothing_in_common(tmp_path: Path) -> None:
    orders, trips = (find_hosting(tmp_path, f"{name}.catalogue:catalogue") for name in ("actors", "examples.trip"))
    assert not {one.kind for one in orders.catalogue.behaviours} & {one.kind for one in trips.catalogue.behaviours}
    assert find_hosting(tmp_path, "actors.catalogue:catalogue").catalogue is not orders.catalogue


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (None, 'names no catalogue to host: write catalogue = "MODULE:FUNCTION" under [tool.amends]'),
        ("catalogue", "'catalogue' names no catalogue: write MODULE:NAME"),
        ("nowhere.at:all", "the module nowhere.at cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        (
            f"{ODD}_broken:catalogue",
            "be imported: ValueError: broken by intent (at odd_broken.py:3 <module>); modules",
        ),
        (f"{ODD}_import:catalogue", "'nowhere' (at odd_import.py:3 <module>); modules are"),
        (f"{ODD}_exit:catalogue", "cannot be imported: SystemExit: 3"),
        (f"{ODD}_saga:catalogue", "defines something that cannot work: "),
        ("actors.catalogue:catalog", "actors.catalogue has no catalogue 'catalog'; it has catalogue"),
        (f"{ODD}:NUMBER", "is of type int; name a Catalogue, or a function that gives one"),
        (f"{ODD}:number", "gives a int; name a function that gives a Catalogue"),
        (f"{ODD}:fails", "raised ZeroDivisionError: "),
        (f"{ODD}:unfit", f"the catalogue {ODD}:unfit does not fit together: "),
    ],
)
def test_a_name_of_no_catalogue_is_refused_with_cause_and_cure(tmp_path: Path, name: str | None, told: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        find_hosting(tmp_path, name)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[tool.amends", "cannot be read"),
        ("[tool]\namends = 1", "amends is to be a table"),
        ("[tool.amends]\ncatalog = 'a:b'", "has no 'catalog'; it may have catalogue"),
        ("[tool.amends]\ncatalogue = 1", "catalogue is to be one name"),
        (f"{CATALOGUE}register = 'a:b'", "register is to be a list of names"),
        (f"{CATALOGUE}register = ['a']", "'a' names no function for register"),
        (f"{CATALOGUE}register = ['{ODD}:NUMBER']", "is of type int; name a function (server, client)"),
    ],
)
def test_what_a_project_says_wrong_of_itself_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        find_hosting(project(tmp_path, content))
    assert told in str(refused.value)
