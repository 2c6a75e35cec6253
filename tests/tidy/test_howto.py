"""What the pages for authors show is what runs: code is cut from the files it names, the rest is executed."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runtime.admin.commands import admin
from runtime.durable.service import Service
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.commands.group import proving
from tests.tidy.source import ROOT, name

PAGES = sorted(page for part in ("howto", "reference") for page in (ROOT / "docs" / part).glob("*.md"))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FROM = re.compile(r"# (\S+\.py)\n")
PARTS = (
    *(field.name for field in dataclasses.fields(Step)),
    *(
        name
        for name in vars(Saga)["__annotations__"]
        if not name.startswith("_") and name not in ("definition", "kind", "kind_names")
    ),
    *(name for name in inspect.signature(Service.__init_subclass__).parameters if name not in ("rest", "kind")),
    *(name for name in inspect.signature(Service.of).parameters if name != "given"),
)
_COMMAND = "python -m runtime.testing "
_OF_OPERATORS = re.compile(r"(?:python -m runtime\.admin|amends admin) (.+)")


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of each fenced block."""
    found = [(name(page), *match.groups()) for page in PAGES for match in _BLOCK.finditer(page.read_text("utf-8"))]
    return [(page, text) for page, its_language, text in found if its_language == language]


def commands() -> list[str]:
    return [line for page, text in blocks("console") if "/howto/" in page for line in text.splitlines()]


def of_operators() -> list[tuple[str, str]]:
    """Page and words of each command of operators that a how-to shows."""
    lines = [(page, line) for page, text in blocks("") for line in text.splitlines()]
    found = [(page, _OF_OPERATORS.match(line)) for page, line in lines if "/howto/" in page]
    return [(page, match[1]) for page, match in found if match is not None]


def wrong(text: str) -> str:
    """Why a block is not what runs; empty if it is."""
    source = _FROM.match(text)
    if source is None:
        exec(compile(text, "a block of a page", "exec"), {})
        return ""
    path, shown = ROOT / source[1], text[source.end() :]
    if not path.exists():
        return f"there is no {source[1]}"
    return "" if f"\n{shown}" in f"\n{path.read_text('utf-8')}" else f"{source[1]} has no such lines"


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_code_is_cut_from_the_file_it_names_or_runs_by_itself(page: str, text: str) -> None:
    assert not wrong(text), f"{page}: {wrong(text)}:\n{text}"


@pytest.mark.parametrize("command", commands())
def test_commands_do_what_they_are_said_to(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.startswith(_COMMAND), f"{command}: only the test kit's commands can be shown to work"
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(proving, shlex.split(command.removeprefix(_COMMAND)))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("part", PARTS)
def test_the_page_for_authors_names_every_part_of_a_definition(part: str) -> None:
    page = (ROOT / "docs" / "howto" / "write-a-process.md").read_text("utf-8")
    assert re.search(rf"(`|`self\.|[(, ]){part}\b[`=, ]", page), part


def test_every_page_shows_something() -> None:
    assert len(blocks("python")) > 5 and len(commands()) > 2


def test_code_that_is_not_in_its_file_is_found(tmp_path: Path) -> None:
    assert wrong("# examples/trip/saga.py\n    flow = seat >> money\n") == "examples/trip/saga.py has no such lines"
    assert wrong("# examples/trip/nothing.py\nx = 1\n") == "there is no examples/trip/nothing.py"
    with pytest.raises(ImportError):
        wrong("from runtime.testing import nothing_of_this_name\n")


@pytest.mark.parametrize(("page", "words"), of_operators())
def test_each_command_of_operators_that_a_page_shows_is_taken(page: str, words: str) -> None:
    """It is read as the command line would read it, and not carried out."""
    command: click.Command = admin
    name, arguments = "admin", shlex.split(words)
    while isinstance(command, click.Group):
        _, rest, _ = command.make_parser(click.Context(command)).parse_args(arguments)
        if not rest:
            break
        name, *arguments = rest
        command = command.commands[name]
    with command.make_context(name, arguments) as context:
        assert not context.args, f"{page}: {words}"


def test_the_pages_of_problems_show_commands() -> None:
    shown = {page.rpartition("/")[2] for page, _ in of_operators()}
    assert shown >= {"an-order-does-not-move.md", "an-undo-is-owed.md", "after-a-bad-deploy.md"}
