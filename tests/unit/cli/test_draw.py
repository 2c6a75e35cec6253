"""`amends draw` draws the processes of the project, as its page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli.draw import draw

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(draw, list(arguments))


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_page_shows_what_the_command_draws() -> None:
    page = (ROOT / "docs" / "howto" / "write-a-process.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{run('order-choreography').output}```" in page


def test_without_a_name_every_process_is_drawn() -> None:
    output = run().output
    assert "%% OrderProcess: order-process" in output and "%% OrderChoreography: order-choreography" in output
    trip = run("--catalogue", "examples.trip.catalogue:catalogue").output
    assert "stateDiagram-v2" in trip and "flowchart" not in trip


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nope",), "there is no process 'nope'; there are order-process, order-choreography"),
        (("--catalogue", "no.such:thing"), "no.such"),
    ],
)
def test_what_cannot_be_drawn_is_named(arguments: tuple[str, ...], complaint: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and complaint in done.output


def test_a_folder_without_a_project_is_told_how_to_name_a_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run()
    assert done.exit_code == 2 and "or name one with --catalogue" in done.output
