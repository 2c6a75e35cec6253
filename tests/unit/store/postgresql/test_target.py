"""What a URL says of a database, and what of it people may see."""

from __future__ import annotations

import pytest

from runtime.errors import InvalidSettings
from runtime.store.postgresql.target import PostgresqlTarget

URL = "postgresql://amends:secret@db.example:5433/orders"


def test_the_driver_gets_its_own_options_and_the_store_those_that_it_knows() -> None:
    target = PostgresqlTarget.of(
        f"{URL}?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem&schema=shop&readers=2&reconnect_s=1.5"
    )
    assert target.dsn == f"{URL}?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem"
    assert (target.settings.schema, target.settings.readers, target.settings.reconnect_s) == ("shop", 2, 1.5)


@pytest.mark.parametrize("url", [f"{URL}?password=secret", "postgres://secret@db.example/orders?host=secret"])
def test_what_is_shown_names_the_place_and_no_secret(url: str) -> None:
    target = PostgresqlTarget.of(url)
    assert target.at.startswith("postgresql://db.example")
    assert target.at.endswith("/orders")
    assert "secret" not in f"{target} {target!r} {target.at}"


@pytest.mark.parametrize("option", ["poler=transaction", "pooler=session", "synchronous_commit=maybe", "schema="])
def test_an_option_that_nobody_knows_is_refused_without_its_value(option: str) -> None:
    name, _, value = option.partition("=")
    with pytest.raises(InvalidSettings, match=name) as caught:
        PostgresqlTarget.of(f"{URL}?{option}")
    assert not value or f"={value}" not in str(caught.value)


def test_a_schema_is_quoted_for_sql() -> None:
    assert PostgresqlTarget.of(f"{URL}?schema=a%22b").quoted_schema == '"a""b"'
