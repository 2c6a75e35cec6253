"""Behind a pooler the role has what a node sets at connect elsewhere; the page about PostgreSQL says what that is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from runtime.errors import StoreUnavailable
from runtime.store.postgresql.connection import PLANS
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import mail_row, post, turn
from tests.tidy.source import ROOT
from tests.unit.store.postgresql.conftest import OpenStore

_PAGE = ROOT / "docs" / "howto" / "run-on-postgresql.md"
_ALTER = re.compile(r"^ALTER ROLE amends SET (\w+) = ([^;]+);", re.MULTILINE)


@pytest.fixture
async def pooled(url: str, sql: Any) -> AsyncIterator[str]:
    """The URL of a role of its own, as through a pooler."""
    role = url.rpartition("=")[2]
    await sql.execute(f"create role {role} login password 'word'; create schema {role}_own authorization {role}")
    place = urlsplit(url).netloc.rpartition("@")[2]
    yield f"postgresql://{role}:word@{place}/postgres?pooler=transaction&schema={role}_own"
    await sql.execute(f"drop owned by {role}; drop role {role}")


async def test_a_role_as_the_page_has_it_is_taken(open_store: OpenStore, pooled: str, sql: Any) -> None:
    schema = pooled.rpartition("=")[2]
    role = schema.removesuffix("_own")
    settings = dict(_ALTER.findall(_PAGE.read_text(encoding="utf-8")))
    assert PLANS.items() <= settings.items()
    for name, value in {**settings, "search_path": schema}.items():
        await sql.execute(f"alter role {role} set {name} = {value}")
    store = await open_store(pooled)
    assert await store.commit([post(mail_row(1)), turn(1)]) == [Verdict.COMMITTED] * 2


async def test_a_role_without_them_is_told_each(open_store: OpenStore, pooled: str, sql: Any) -> None:
    schema = pooled.rpartition("=")[2]
    role = schema.removesuffix("_own")
    with pytest.raises(StoreUnavailable, match=f'ALTER ROLE ... SET search_path = "{schema}"'):
        await open_store(pooled)
    await sql.execute(f"alter role {role} set search_path = {schema}; alter role {role} set jit = off")
    with pytest.raises(StoreUnavailable, match="lacks settings that pin plans") as caught:
        await open_store(pooled)
    for name, value in PLANS.items():
        assert (f"ALTER ROLE ... SET {name} = {value}" in str(caught.value)) == (name != "jit")
