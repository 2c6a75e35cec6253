"""`amends demo`: the project's own demo, on a store that is there for this run alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.cli.demo import demo
from runtime.testing.processes import throwaway

SHOW = """
from pathlib import Path

async def show(store_url):
    print(f"on {store_url}, a folder: {Path(store_url.removeprefix('sqlite:///')).parent.is_dir()}")
    return 3
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.amends]\ndemo = "shown_here:show"\n', encoding="utf-8")
    (tmp_path / "shown_here.py").write_text(SHOW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_it_gets_a_store_of_its_own_and_says_with_its_exit_code_how_it_went(project: Path) -> None:
    ended = CliRunner().invoke(demo)
    url, _, is_there = ended.output.removeprefix("on ").partition(", a folder: ")
    assert (ended.exit_code, is_there) == (3, "True\n")
    assert not Path(url.removeprefix("sqlite:///")).parent.exists()


def test_whoever_lacks_the_server_is_told_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("POSTGRESQL_BIN", raising=False)
    ended = CliRunner().invoke(demo, ["--store", "postgresql"])
    assert ended.exit_code == 2
    assert "pip install 'amends[postgresql-server]'" in ended.output
    assert "on postgresql" not in ended.output


def test_a_project_without_a_demo_is_told_where_to_name_one(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.amends]\n", encoding="utf-8")
    ended = CliRunner().invoke(demo)
    assert ended.exit_code == 2
    assert 'name one in pyproject.toml, under [tool.amends], demo = "shop.demo:demo"' in ended.output


def test_the_stores_that_it_offers_are_those_that_can_be_made() -> None:
    ended = CliRunner().invoke(demo, ["--store", "paper"])
    assert ended.exit_code == 2
    for kind in throwaway.THROWAWAY_STORES:
        assert f"'{kind}'" in ended.output
