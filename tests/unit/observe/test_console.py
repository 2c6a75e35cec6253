"""Commands on consoles that are narrow, full, closed, or not of this alphabet; in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import SETTINGS

ROOT = Path(__file__).parents[3]
MODULES = ("runtime.admin", "actors.client", "runtime.testing")
SHOWS = "import click\nfrom runtime.observe.console import run\n@click.command()\ndef c():\n    {}\nrun(c, 'c')\n"


JSON_SHOWS = (
    "import click\nfrom runtime.observe.console import run, say_json\n@click.command()\ndef c():\n    {}\nrun(c, 'c')\n"
)


def _shell(redirection: str, *command: str, **environment: str) -> tuple[int, bytes, str]:
    return _run(*command, shell=redirection, **environment)


def _run(*command: str | bytes, into: str = "", shell: str = "", **environment: str) -> tuple[int, bytes, str]:
    with Path(into or os.devnull).open("wb") as taker:
        done = subprocess.run(
            ("sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, *command),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=taker if into else subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
    err = done.stderr.decode(errors="replace")
    assert "Traceback" not in err
    return done.returncode, done.stdout or b"", err


@pytest.mark.parametrize("module", MODULES)
def test_an_argument_that_is_no_utf_8_is_bad_input(module: str) -> None:
    code, _, err = _run("-m", module, "explain", b"\xff")
    assert (code, "no UTF-8" in err) == (2, True)


def test_a_node_takes_it_for_a_wrong_setting() -> None:
    code, _, err = _run("node.py", b"\xff")
    assert (code, "no UTF-8" in err) == (64, True)


@pytest.mark.parametrize("module", MODULES)
def test_a_full_output_is_an_exit_code_of_its_own(module: str) -> None:
    code, _, err = _run("-m", module, "--help", into="/dev/full")
    assert (code, "could not be written" in err) == (7, True)


@pytest.mark.parametrize("encoding", ["cp437:strict", "latin-1"])
def test_what_a_console_has_no_letters_for_is_escaped(encoding: str) -> None:
    code, out, _ = _run("-c", SHOWS.format("click.echo('a ⟶ b')"), PYTHONIOENCODING=encoding)
    assert (code, out) == (0, b"a \\u27f6 b\n")


@pytest.mark.parametrize("show", ["click.echo('x' * 9)", "import rich; rich.print('x' * 9)"])
def test_a_pipe_that_nobody_reads_is_said(show: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        (sys.executable, "-c", SHOWS.format(show)), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, b"could not be written" in done.stderr) == (7, True)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "cp437", "ascii", "utf-8", "utf-16"])
def test_json_is_json_in_every_alphabet_and_with_every_number(encoding: str) -> None:
    key = "ü😀⟶\x1b"
    shown = f"say_json({{{key!a}: ['\\xe9', float('inf'), {{'a': (float('nan'), 1.5)}}]}})"
    code, out, _ = _run("-c", JSON_SHOWS.format(shown), PYTHONIOENCODING=encoding)
    assert (code, json.loads(out.decode(encoding))) == (0, {key: ["é", "Infinity", {"a": ["NaN", 1.5]}]})


def test_the_log_is_json_in_every_alphabet_too(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/none-ü😀/amends.db"
    code, _, err = _run("node.py", "--store", store, PYTHONIOENCODING="latin-1", AMENDS_LOG_FORMAT="json")
    assert (code, "none-ü😀" in json.loads(err.splitlines()[-1])["reason"]) == (3, True)


def test_arguments_of_a_console_without_an_alphabet_are_taken_for_utf_8() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, _, err = _run("-m", "runtime.admin", "--store", "ü😀", "nodes", **plain)
    assert (code, "is no store" in err) == (2, True)
    code, _, err = _run("-m", "runtime.admin", "explain", b"\xff", **plain)
    assert (code, "no UTF-8" in err) == (2, True)


@pytest.mark.parametrize("full", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("-m", "runtime.admin", "--store", "nothing", "nodes"), 2),
        (("-m", "actors.client", "--node", "127.0.0.1:1", "get", "A"), 3),
        (("-m", "runtime.testing", "simulate", "--seeds", "1"), 0),
        (("node.py", "nosuch"), 64),
        (("node.py", "--store", "sqlite:////nowhere/amends.db"), 3),
    ],
)
def test_an_error_that_nobody_can_see_is_still_that_error(full: str, command: tuple[str, ...], expected: int) -> None:
    assert _shell(full, *command)[0] == expected


def test_where_a_stream_is_closed_no_other_file_gets_its_number(tmp_path: Path) -> None:
    shows = "import os; open('{}', 'w').write(' '.join(os.readlink('/proc/self/fd/%d' % n) for n in range(3)))"
    _shell("0<&- 2>&-", "-c", SHOWS.format(shows.format(tmp_path / "seen")))
    first, _, third = (tmp_path / "seen").read_text(encoding="ascii").split()
    assert (first, third) == ("/dev/null", "/dev/null")


def test_a_node_shows_its_help_or_says_why_not_and_a_wrong_option_is_a_wrong_setting() -> None:
    code, _, err = _run("node.py", "--help", into="/dev/full")
    assert (code, "could not be written" in err) == (7, True)
    assert _run("node.py", "--help")[0] == 0
    code, _, err = _run("node.py", "--nosuch")
    assert (code, "No such option" in err) == (64, True)


def test_an_error_that_is_not_about_the_output_is_not_hidden() -> None:
    code, _, err = _run("-c", SHOWS.format("raise click.ClickException('no')"))
    assert (code, err) == (1, "Error: no\n")


@pytest.mark.parametrize("module", ["examples.demo", "examples.storm", "bench.mesh", "bench.actors", "bench.orders"])
def test_what_is_asked_for_help_says_what_it_is_and_does_nothing_else(module: str) -> None:
    code, output, _ = _run("-m", module, "--help", COLUMNS="120")
    out = output.decode()
    assert code == 0
    assert re.search(rf"^usage: python -m {module}( |$)", out, re.IGNORECASE | re.MULTILINE), out
    assert re.search(r"^ *-(h, -)?-help", out, re.MULTILINE), out


def test_a_node_names_every_setting_with_its_default() -> None:
    _, output, _ = _run("node.py", "--help")
    told = " ".join(output.decode().split())
    for name, field in SETTINGS.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        assert f"--{name.replace('_', '-')} " in told or f"{name} {default}" in told or name == "services", name
