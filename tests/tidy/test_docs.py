"""The documents are true: links lead somewhere, files that are named exist, nothing that must be told is left out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from runtime import errors
from runtime.admin.commands import admin
from runtime.config import Settings
from runtime.failpoints import Failpoint
from runtime.launching import CUT_SHORT, EXIT_CODES
from runtime.protos import saga_pb2
from runtime.store.postgresql.target import PostgresqlSettings
from runtime.store.sqlite.engine import SqliteSettings
from tests.tidy import failpoints
from tests.tidy.scenarios import PAGE, page
from tests.tidy.source import ROOT, name

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])
OPERATIONS = ROOT / "docs" / "reference" / "operations.md"
SETTINGS_PAGE = OPERATIONS.with_name("settings.md")
DEFAULTS = {one.name: one.default for of in (Settings, SqliteSettings, PostgresqlSettings) for one in fields(of)}
ERRORS = [
    one for one, value in vars(errors).items() if isinstance(value, type) and one not in ("AmendsError", "StoreError")
]
STATUSES = [value.name.lower() for value in saga_pb2.SagaRecord.Status.DESCRIPTOR.values if value.number]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NAMED_FILE = re.compile(r"`((?:runtime|actors|protos|tests|bench|docs|examples|deploy|\.ci)/[\w./@-]*)`")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in _LINK.findall(_prose(document)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert not broken, f"{name(document)}: {', '.join(broken)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_that_are_named_exist(document: Path) -> None:
    missing = [path for path in _NAMED_FILE.findall(_prose(document)) if not (ROOT / path).exists()]
    assert not missing, f"{name(document)}: {', '.join(missing)}"


def test_the_table_of_behaviours_is_that_of_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: run `make docs` and commit docs/proof/scenarios.md"


def test_the_table_of_failpoints_is_that_of_the_code() -> None:
    assert failpoints.PAGE.read_text(encoding="utf-8") == failpoints.page(), "out of date: run `make docs`"


@pytest.mark.parametrize("point", list(Failpoint), ids=lambda point: point.name)
def test_every_failpoint_stands_in_the_product(point: Failpoint) -> None:
    assert point.name in failpoints.places()


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "adr"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    missing = [
        path.name for path in sorted(folder.glob("*.md")) if path.name != "README.md" and path.name not in listed
    ]
    assert not missing, f"docs/adr/README.md does not list {', '.join(missing)}"


@pytest.mark.parametrize("setting", list(DEFAULTS))
def test_every_setting_is_documented_with_its_default(setting: str) -> None:
    (row,) = re.findall(rf"^\| `{setting}` \|.*$", SETTINGS_PAGE.read_text(encoding="utf-8"), re.MULTILINE) or [""]
    assert row, f"{name(SETTINGS_PAGE)} has no row for {setting}"
    assert f"`{_shown(DEFAULTS[setting])}`" in row, f"another default: {row}"


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_documented_with_its_cure(error: str) -> None:
    assert f"`{error}`" in OPERATIONS.read_text(encoding="utf-8")


def test_every_exit_code_of_a_node_is_documented() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    for code in sorted({0, 1, CUT_SHORT, *EXIT_CODES.values()}):
        assert re.search(rf"^\| {code} \|", text, re.MULTILINE), f"nothing of exit code {code}"


@pytest.mark.parametrize("command", sorted(admin.commands))
def test_every_operators_command_is_documented(command: str) -> None:
    assert f"`{command}" in OPERATIONS.read_text(encoding="utf-8")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_a_saga_is_explained(status: str) -> None:
    assert f"`{status}`" in (ROOT / "docs" / "explanation" / "concepts.md").read_text(encoding="utf-8")


def test_every_target_of_the_makefile_is_told_to_newcomers() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    told = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [target for target in targets if f"make {target}" not in told]


def _prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCED.sub("", document.read_text(encoding="utf-8"))


def _anchors(document: Path) -> set[str]:
    """Headings as links spell them."""
    headings = _HEADING.findall(_prose(document))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _shown(default: object) -> str:
    """A default as the page spells it."""
    if default in ("", ()):
        return "-"
    if isinstance(default, tuple):
        return ", ".join(default)
    return f"{default:g}" if isinstance(default, float) else f"{default}"


def test_what_a_newcomer_reads_first_is_as_long_as_it_says_and_short() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told, files = re.findall(
        r"carry the idea, about ([\d,]+) lines in all\. Read them in this order: (.*?)\.\n\n", text, re.DOTALL
    )[0]
    lines = sum(len((ROOT / one).read_text(encoding="utf-8").splitlines()) for one in re.findall(r"`([^`]+)`", files))
    assert lines <= 1_200
    assert abs(lines - int(told.replace(",", ""))) <= 50, f"they have {lines} lines"
