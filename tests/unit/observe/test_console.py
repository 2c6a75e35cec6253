"""Commands on consoles that are narrow, full, closed, or not of this alphabet; in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULES = ("runtime.admin", "actors.client", "runtime.testing")
SHOWS = "import click\nfrom runtime.observe.console import run\n@click.command()\ndef c():\n    {}\nrun(c, 'c')\n"


def _run(*command: str | bytes, into: str = "", **environment: str) -> tuple[int, bytes, str]:
    with Path(into or os.devnull).open("wb") as taker:
        done = subprocess.run(
            (sys.executable, *command),
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


def test_an_error_that_is_not_about_the_output_is_not_hidden() -> None:
    code, _, err = _run("-c", SHOWS.format("raise click.ClickException('no')"))
    assert (code, err) == (1, "Error: no\n")
