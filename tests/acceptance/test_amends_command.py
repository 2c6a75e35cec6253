"""The command `amends`: what its subcommands say, and a node that it launches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import NodeShop
from tests.tidy.source import ROOT

AMENDS = (sys.executable, "-c", "from runtime.cli.main import main; main()")
SUBCOMMANDS = ("node", "admin", "client", "demo", "draw", "new", "protos", "test")
WITHOUT = "import sys\nsys.modules[{!r}] = None\nfrom runtime.cli.main import main\nmain()"


def amends(folder: Path, *arguments: str, without: str = "") -> tuple[int, str]:
    """Exit code, and all that it printed. `without` a module, as where it is not installed."""
    command = (sys.executable, "-c", WITHOUT.format(without)) if without else AMENDS
    finished = subprocess.run(
        (*command, *arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return finished.returncode, finished.stdout + finished.stderr


def script(folder: Path) -> Path:
    """A console script as pip writes one: what Python itself looks in is the folder of the script."""
    place = folder / "script" / "amends"
    place.parent.mkdir()
    place.write_text("from runtime.cli.main import main\nmain()\n", encoding="utf-8")
    return place


def test_its_help_names_every_subcommand(tmp_path: Path) -> None:
    code, text = amends(tmp_path, "--help")
    assert code == 0
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in text


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_a_help_with_its_exit_codes(tmp_path: Path, name: str) -> None:
    code, text = amends(tmp_path, name, "--help")
    assert code == 0
    assert text.startswith(f"Usage: amends {name}")
    assert "exit codes" in text.lower()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = f"cd {tmp_path}/gone; rmdir {tmp_path}/gone; exec {sys.executable} {script(tmp_path)} node"
    finished = subprocess.run(("sh", "-c", command), capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 1
    assert "the current folder is gone" in finished.stderr


def test_a_subcommand_that_there_is_not_ends_with_2(tmp_path: Path) -> None:
    code, text = amends(tmp_path, "nodes")
    assert code == 2
    assert "No such command 'nodes'" in text


@pytest.mark.parametrize(
    ("without", "arguments", "told"),
    [
        ("click", ["--help"], "the command amends needs click: pip install 'amends[cli]'"),
        ("grpc_tools", ["protos", "protos"], "amends protos needs grpc_tools: pip install 'amends[protos]'"),
        ("rich", ["admin", "nodes"], "amends admin needs rich: pip install 'amends[cli]'"),
    ],
)
def test_what_is_not_installed_is_named_with_the_extra_that_has_it(
    tmp_path: Path, without: str, arguments: list[str], told: str
) -> None:
    code, text = amends(tmp_path, *arguments, without=without)
    assert code == 1
    assert told in text
    assert "Traceback" not in text


def test_its_help_needs_nothing_but_click(tmp_path: Path) -> None:
    assert amends(tmp_path, "--help", without="grpc_tools")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "names no catalogue to host"),
        (("--catalogue", "nowhere:all"), "the module nowhere cannot be imported"),
        (("--catalogue", "actors.catalogue:catalogue", "biling"), "there is no service 'biling'; there are sales"),
        (("--catalog", "x:y"), "No such option"),
    ],
)
def test_a_node_without_a_catalogue_ends_with_64_and_one_line(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, text = amends(tmp_path, "node", *arguments)
    assert code == 64
    assert told in text
    assert "Traceback" not in text


def test_it_finds_modules_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("CATALOGUE = 'none'\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = (sys.executable, str(script(tmp_path)), "node", "--catalogue", "mine:CATALOGUE")
    told = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "mine:CATALOGUE is of type str" in told.stderr


async def test_a_node_hosts_what_the_project_in_its_folder_names(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    async with Harness(command=(*AMENDS, "node"), directory=tmp_path) as harness:
        await harness.start("one")
        shop = NodeShop(harness)
        await shop.restock("book")
        await shop.place("order-1", wait=True)
        await shop.close()
