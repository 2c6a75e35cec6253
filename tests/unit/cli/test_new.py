"""`amends new`: what it writes passes the linter, and what it refuses leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli.new import new


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(new, arguments)


def made(*arguments: str) -> None:
    finished = run(*arguments)
    assert finished.exit_code == 0, finished.output


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_project_has_a_service_a_saga_contracts_tests_and_generated_code(folder: Path) -> None:
    made("stays")
    names = everything(folder / "stays")
    assert {"stays/services.py", "stays/saga.py", "stays/catalogue.py", "protos/journeys.proto"} <= names
    assert {"protos/journeys_pb2.py", "protos/journeys_pb2.pyi", "tests/test_saga.py", ".gitignore", "node.py"} <= names
    left = [name for name in names if name.endswith(".in") or "{{" in name or name.startswith(".amends")]
    texts = [path.read_text(encoding="utf-8") for path in (folder / "stays").rglob("*") if path.is_file()]
    assert not left and not any("{{" in text for text in texts)


@pytest.mark.parametrize("name", ["journals", "zebra"])  # one sorts before protos, one behind
def test_its_code_is_formatted_and_linted(folder: Path, name: str) -> None:
    made(name)
    for command in (("check",), ("format", "--check")):
        words = (sys.executable, "-m", "ruff", *command, "--no-cache", ".")
        finished = subprocess.run(words, cwd=folder / name, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout


def test_an_empty_folder_is_taken(folder: Path) -> None:
    (folder / "empty").mkdir()
    made("stays", "--into", "empty")
    assert (folder / "empty" / "stays" / "saga.py").exists()


def test_the_current_folder_is_taken_if_it_is_empty(folder: Path) -> None:
    made("stays", "--into", ".")
    assert (folder / "stays" / "saga.py").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my-shop", "'my-shop' is no name for a Python module; take one like 'my_shop'"),
        ("2go", "'2go' is no name for a Python module"),
        ("class", "'class' is no name for a Python module"),
        ("../out", "is no name for a Python module"),
        ("läden", "is no name for a Python module"),
        ("calendar", "a package 'calendar' would hide a module of Python's own"),
        ("runtime", "a package 'runtime' would hide the one that Amends needs"),
        ("google", "a package 'google' would hide the one that Amends needs"),
        ("structlog", "a package 'structlog' would hide what is installed as "),
        ("protos", "'protos' is the name of another part of the project"),
        ("amends", "are those of Amends"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_cure(folder: Path, name: str, told: str) -> None:
    finished = run(name)
    assert (finished.exit_code, everything(folder)) == (2, set())
    assert told in finished.output
    assert "nothing was written" in finished.output


def test_a_folder_that_is_not_empty_is_refused_and_left_as_it_is(folder: Path) -> None:
    (folder / "stays").mkdir()
    (folder / "stays" / ".hidden").touch()
    finished = run("stays")
    assert (finished.exit_code, everything(folder)) == (2, {"stays", "stays/.hidden"})
    assert "stays is not empty (it has .hidden); name another one by --into" in finished.output


def test_a_place_that_is_a_file_is_refused(folder: Path) -> None:
    (folder / "stays").touch()
    finished = run("stays")
    assert finished.exit_code == 2
    assert "stays is no folder" in finished.output
    assert (folder / "stays").read_bytes() == b""


def test_what_the_disk_does_not_take_is_told_and_leaves_nothing(folder: Path) -> None:
    (folder / "file").touch()
    finished = run("stays", "--into", "file/stays")
    assert finished.exit_code == 1
    assert "file/stays cannot be written" in finished.output
    assert everything(folder) == {"file"}
