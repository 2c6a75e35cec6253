"""`amends protos`: what it generates, what it finds, and what it refuses without having written anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli.protos import protos
from tests.tidy.source import ROOT

CONTRACT = """syntax = "proto3";
package books;
import "runtime/protos/contract.proto";
message Lend {
  option (amends.command) = {kind: "books", key: "title"};
  string title = 1;
}
"""
SERVICE = "service Library { rpc Ask(Lend) returns (Lend); }\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a project with one contract, the current folder."""
    monkeypatch.chdir(tmp_path)
    return contract(tmp_path, CONTRACT)


def contract(root: Path, text: str, name: str = "protos/books.proto") -> Path:
    (root / name).parent.mkdir(exist_ok=True, parents=True)
    (root / name).write_text(text, encoding="utf-8")
    return root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(protos, arguments)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(root: Path, *arguments: str) -> str:
    """What it says, having ended with 2 and written nothing."""
    before = files(root)
    finished = run(*arguments)
    assert (finished.exit_code, files(root)) == (2, before), finished.output
    return finished.output


def test_a_contract_of_a_project_finds_that_of_the_runtime(root: Path) -> None:
    finished = run("protos")
    assert finished.exit_code == 0, finished.output
    assert set(files(root)) == {"protos/books.proto", "protos/books_pb2.py", "protos/books_pb2.pyi"}


def test_grpc_code_is_made_where_a_service_is_declared_and_removed_where_it_is_no_more(root: Path) -> None:
    contract(root, CONTRACT + SERVICE)
    run("protos")
    assert {"protos/books_pb2_grpc.py", "protos/books_pb2_grpc.pyi"} <= set(files(root))
    contract(root, CONTRACT)
    assert "removed  protos/books_pb2_grpc.py" in run("protos").output
    assert not [name for name in files(root) if "grpc" in name]


def test_what_is_up_to_date_is_not_written_again(root: Path) -> None:
    run("protos")
    assert run("protos").output == ""
    assert run("protos", "--check").exit_code == 0


def test_a_check_names_what_differs_and_is_left_over_and_writes_nothing(root: Path) -> None:
    run("protos")
    contract(root, CONTRACT, "protos/gone.proto")
    contract(root, CONTRACT.replace("books", "gone").replace("Lend", "Gone"), "protos/gone.proto")
    run("protos")
    (root / "protos/gone.proto").unlink()
    contract(root, CONTRACT.replace("title", "name"))
    before = files(root)
    finished = run("protos", "--check")
    assert (finished.exit_code, files(root)) == (1, before)
    for told in ("differs  protos/books_pb2.py", "left over  protos/gone_pb2.py", "run amends protos protos"):
        assert told in finished.output


def test_a_module_that_people_wrote_is_never_taken_for_left_over(root: Path) -> None:
    contract(root, '"""Mine."""\n', "protos/mine_pb2.py")
    run("protos")
    assert (root / "protos/mine_pb2.py").exists()


def test_the_code_in_this_repository_is_what_its_contracts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    folders = sorted({path.parent.relative_to(ROOT).as_posix() for path in contracts_of_the_checkout()})
    finished = run("--check", *folders)
    assert finished.exit_code == 0, finished.output


def contracts_of_the_checkout() -> list[Path]:
    kept = ("runtime", "protos", "examples", "tests")
    return [path for folder in kept for path in (ROOT / folder).rglob("*.proto") if "template" not in path.parts]


def test_a_syntax_error_is_told_with_its_file_and_line(root: Path) -> None:
    contract(root, CONTRACT + "message {\n")
    assert "protos/books.proto:8:9: Expected message name" in refused(root, "protos")


def test_a_contract_that_is_imported_and_is_not_there_is_told(root: Path) -> None:
    contract(root, CONTRACT.replace("runtime/protos/contract", "protos/nowhere"))
    assert "protos/nowhere.proto: File not found" in refused(root, "protos")


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("nowhere", "nowhere is no folder"),
        ("..", "outside of"),
        ("empty", "there is no .proto file in empty"),
        ("deep", "there are some in inner: name that folder"),
        ("calendar", "a package 'calendar' would hide a module of Python's own; take another name"),
        ("pytest", "a package 'pytest' would hide what is installed as "),
        ("google", "a package 'google' would hide the one that Amends needs; take another name"),
        ("my-protos", "'my-protos' is no name for a Python module; take one like 'my_protos'"),
        ("class", "'class' is no name for a Python module"),
    ],
)
def test_a_folder_that_cannot_be_is_refused_with_the_cure(root: Path, folder: str, told: str) -> None:
    if folder not in ("nowhere", "..", "empty", "deep"):
        contract(root, CONTRACT, f"{folder}/books.proto")
    contract(root, CONTRACT, "deep/inner/books.proto")
    (root / "empty").mkdir()
    assert told in refused(root, folder)


def test_a_contract_whose_module_no_statement_could_import_is_refused(root: Path) -> None:
    contract(root, CONTRACT, "protos/2go.proto")
    assert "'2go' is no name for a Python module" in refused(root, "protos")


def test_a_folder_inside_is_not_left_out_in_silence(root: Path) -> None:
    contract(root, 'syntax = "proto3";', "protos/inside/more.proto")
    assert "are .proto files in protos/inside as well: name each" in " ".join(refused(root, "protos").split())
    assert run("protos", "protos/inside").exit_code == 0


def test_a_folder_that_is_named_twice_is_read_once(root: Path) -> None:
    assert run("protos", "./protos").exit_code == 0


def test_what_the_disk_does_not_take_is_told_by_its_name(root: Path) -> None:
    (root / "protos/books_pb2.pyi").mkdir()
    finished = run("protos")
    assert finished.exit_code == 1
    assert "protos/books_pb2.pyi cannot be written: Is a directory" in finished.output


@pytest.mark.parametrize("hiding", ["google/__init__.py", "google/protobuf/any.proto", "grpc.py"])
def test_a_project_that_hides_what_amends_needs_is_refused(root: Path, hiding: str) -> None:
    contract(root, "", hiding)
    assert f"hides the package {hiding[:4]}" in refused(root, "protos")


def test_a_folder_of_another_language_hides_nothing(root: Path) -> None:
    contract(root, "", "grpc/server.go")
    assert run("protos").exit_code == 0


def test_a_project_with_a_folder_called_runtime_is_refused(root: Path) -> None:
    (root / "runtime").mkdir()
    assert f"{root / 'runtime'} hides the package runtime" in refused(root, "protos")


@pytest.mark.parametrize("package", ["amends", "google.type"])
def test_a_contract_that_adds_to_a_package_of_others_is_refused(root: Path, package: str) -> None:
    contract(root, CONTRACT.replace("package books;", f"package {package};"))
    assert f'protos/books.proto: "package {package};" is taken' in refused(root, "protos")
