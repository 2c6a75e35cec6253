"""`token` makes what an operator needs to be let in, and what a server needs to let him in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.gateway.operators.operator import Operator, digest_of
from runtime.gateway.operators.operators_file import OperatorsFile


def run(*arguments: str) -> Result:
    return CliRunner().invoke(admin, ["token", *arguments])


@pytest.mark.parametrize("name", ["ann", "bob@example.test", 'a "b" \\ c', "Zoë"])
def test_what_is_printed_is_an_entry_of_the_file_that_lets_the_token_in(tmp_path: Path, name: str) -> None:
    made, other = run(name, "--acts"), run("other")
    path = tmp_path / "operators.toml"
    path.write_text(made.stdout + other.stdout, "utf-8")
    path.chmod(0o600)
    token = made.stderr.split()[-1]
    assert token not in made.stdout
    file = OperatorsFile(path)
    assert file.by_digest(digest_of(token)) == Operator(name, may_act=True)
    assert file.by_name("other") == Operator("other", may_act=False)


def test_no_two_tokens_are_the_same() -> None:
    assert len({run("ann").stderr for _ in range(5)}) == 5


def test_as_json_it_tells_token_and_digest() -> None:
    told = json.loads(run("ann", "--json").stdout)
    assert told == {"name": "ann", "rights": "read", "token": told["token"], "digest": digest_of(told["token"])}


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_what_is_no_name_gets_no_token(name: str) -> None:
    refused = run(name)
    assert refused.exit_code == 2 and "printable characters" in refused.stderr and not refused.stdout


def test_a_header_of_a_proxy_needs_the_operators_whom_it_may_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/amends.db"
    refused = CliRunner().invoke(admin, ["--store", url, "serve", "--proxy-header", "x-user"])
    assert refused.exit_code == 2 and "--operators FILE" in refused.stderr
