"""The page on clients names all that a client, its answers, its errors and its command line have."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from runtime.cli.client import client
from runtime.durable.client import ActorState, Client, CommandAccepted, CommandOptions, CommandOutcome
from runtime.gateway.remote_client import connect
from tests.tidy.source import ROOT

PAGE = (ROOT / "docs" / "reference" / "client.md").read_text("utf-8")
WORDS = sorted(
    {
        *(name for name in vars(Client) if not name.startswith("_")),
        *inspect.signature(Client.cancel).parameters,
        *CommandOptions.__annotations__,
        *(name for name in inspect.signature(connect).parameters if name != "addresses"),
        *(field.name for kind in (ActorState, CommandAccepted, CommandOutcome) for field in dataclasses.fields(kind)),
    }
    - {"self"}
)
OPTIONS = sorted({name for one in client.commands.values() for each in one.params for name in each.opts if "-" in name})


@pytest.mark.parametrize("word", WORDS)
def test_every_method_option_and_field_is_on_the_page(word: str) -> None:
    assert re.search(rf"[`(, ]{word}[`(,=)]", PAGE), word


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_the_command_line_is_on_the_page(option: str) -> None:
    assert f"`{option}" in PAGE or f" {option} " in PAGE, option


@pytest.mark.parametrize("command", sorted(client.commands))
def test_every_command_is_on_the_page(command: str) -> None:
    assert f"| `{command} " in PAGE
