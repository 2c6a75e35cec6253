"""The reference pages are complete: they name every part of what they are about, as the code has it now."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

from runtime import (
    Approval,
    Await,
    Budget,
    Catalogue,
    Child,
    Choreography,
    Client,
    Each,
    FirstOf,
    Flow,
    Key,
    Lock,
    Publish,
    Remind,
    RetryPolicy,
    Saga,
    Service,
    Step,
    Wait,
    When,
    connect,
    on,
)
from runtime.config import SETTINGS
from tests.tidy.source import ROOT

REFERENCE = ROOT / "docs" / "reference"


def public(*things: type) -> list[str]:
    """What an author can write or read of these classes: attributes, methods, fields."""
    return [name for one in things for name in (*vars(one), *one.__annotations__) if name[0] != "_"]


def parameters(*functions: Callable[..., object]) -> list[str]:
    """What these functions take by name."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    taken = [one for function in functions for one in inspect.signature(function).parameters.values()]
    return [one.name for one in taken if one.kind not in kinds and one.name not in ("self", "cls", "rest")]


PARTS = {
    "settings.md": list(SETTINGS),
    "retries.md": public(RetryPolicy, Budget),
    "service.md": [*public(Service), *parameters(Service.__init_subclass__, Service.of, Service.set_timer)],
    "step.md": public(Step, Each, FirstOf, Approval, Wait, When, Publish, Remind, Flow),
    "await.md": public(Await, Key),
    "lock.md": public(Lock),
    "child.md": public(Child),
    "saga.md": [*public(Saga), *parameters(Saga.__init_subclass__, on)],
    "choreography.md": [*public(Choreography), *parameters(Choreography.__init_subclass__)],
    "client.md": [*public(Client), *parameters(connect)],
    "catalogue.md": [*public(Catalogue), *parameters(Catalogue)],
}


@pytest.mark.parametrize(
    ("page", "part"), [(page, part) for page, parts in PARTS.items() for part in dict.fromkeys(parts)]
)
def test_a_reference_page_names_every_part(page: str, part: str) -> None:
    assert re.search(rf"\b{re.escape(part)}\b", (REFERENCE / page).read_text("utf-8"))


@pytest.mark.parametrize("page", PARTS)
def test_a_reference_page_shows_an_example_that_runs(page: str) -> None:
    """test_howto.py runs it."""
    assert "```python\n" in (REFERENCE / page).read_text("utf-8")
