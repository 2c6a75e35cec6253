"""Operators call a kind by any of its names, and see the one that the store has. A check tells names that are wrong."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.store.memory import MemoryStore
from tests.tidy.source import ROOT
from tests.unit.operate.rows import SAGA, fill, mail, saga

KIND = "order-process"


@pytest.fixture
def store() -> MemoryStore:
    """It has two instances of the saga, one of them stuck, and a dead letter of each of two kinds."""
    made = MemoryStore(system_ports())

    async def filled() -> None:
        await made.keep_kind_names({KIND: KIND, "purchase": KIND, "sales": "sales"})
        await fill(made, saga("A"), saga("B", status=SAGA.STUCK))
        await fill(made, mail(1, kind=KIND, parked="no"), mail(2, kind="sales", parked="no"))

    asyncio.run(filled())
    return made


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, arguments, obj=Session("memory:", store=store))


@pytest.mark.parametrize(
    "command",
    [
        ("sagas", "--kind", "{}", "--json"),
        ("sagas", "--kind", "{}", "--count", "--json"),
        ("definitions", "--kind", "{}", "--json"),
        ("explain", "{}/A", "--json"),
        ("explain", "A", "--kind", "{}", "--json"),
        ("conversation", "{}/A", "--json"),
        ("history", "{}/A", "--format", "json"),
        ("dead-letters", "discard-many", "--kind", "{}", "--reason", "test"),
    ],
)
def test_each_name_of_a_kind_shows_the_same(store: MemoryStore, command: tuple[str, ...]) -> None:
    old, new = (run(store, *(one.format(name) for one in command)) for name in (KIND, "purchase"))
    assert old.exit_code == 0, old.output
    assert "purchase" not in old.output and KIND in old.output
    assert without_ages(new) == without_ages(old)


def without_ages(result: Result) -> str:
    """And without what repeats the question."""
    return "".join(line for line in result.output.splitlines() if '_s"' not in line and '  "key"' not in line)


def test_a_name_that_the_store_does_not_know_is_still_refused(store: MemoryStore) -> None:
    found = run(store, "sagas", "--kind", "purchases")
    assert found.exit_code == 4 and "never heard of the kind 'purchases'" in found.output


def test_a_repair_reaches_a_saga_by_its_new_name(store: MemoryStore) -> None:
    done = run(store, "retry-saga", "purchase/B", "--reason", "the bank is back", "--who", "ann")
    assert done.exit_code == 0, done.output
    assert [kind for kind, _ in asyncio.run(store.mail_with_key("B"))] == [KIND]
    refused = run(store, "retry-saga", "purchase/C", "--reason", "the bank is back", "--who", "ann")
    assert "there is no saga purchase/C" in refused.output


def checked(store: MemoryStore, *options: str) -> Result:
    return run(store, "check", "--store", "any", *options)


def test_a_check_fails_over_names_that_the_store_knows_otherwise() -> None:
    store = MemoryStore(system_ports())
    asyncio.run(store.keep_kind_names({"accounts": "accounts", "billing": "accounts", "sales": "sales"}))
    found = checked(store)
    assert found.exit_code == 1 and "the catalogue fits together" not in found.output
    assert "error: in this store 'billing' is another name of the kind 'accounts'" in found.output
    [told] = json.loads(checked(store, "--json").stdout)["wrong_names"]
    assert "let formerly of 'billing' begin with 'accounts'" in told


def test_a_check_warns_of_a_kind_that_the_build_has_lost() -> None:
    store = MemoryStore(system_ports())
    asyncio.run(store.keep_kind_names({"payments": "payments", "sales": "sales"}))
    found = checked(store)
    assert found.exit_code == 0
    assert "warning: the store has the kind 'payments', and this build has none that is, or was" in found.output
    assert checked(store, "--strict").exit_code == 1
