"""The password in a store's URL is seen by whoever opens the store, and by nobody else."""

from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from runtime.config import SETTINGS, Settings, settings_of
from runtime.errors import InvalidSettings
from runtime.store_url import without_password, without_passwords
from tests.tidy.source import modules, name, tree

PASSWORDS = ["secret", "sec/ret", "sec@ret", "sec?ret", "sec:ret", "sec%40ret", "sec ret"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["postgresql://", "postgres://", "mysql+x://", "postgresql:/", ""])
def test_of_a_url_everything_but_the_password_is_shown(scheme: str, password: str) -> None:
    shown = without_password(f"{scheme}amends:{password}@db.example:5432/orders?sslmode=verify-full")
    assert shown == f"{scheme}amends:***@db.example:5432/orders?sslmode=verify-full"


@pytest.mark.parametrize("password", PASSWORDS)
def test_of_a_url_that_lacks_its_slashes_less_is_shown(password: str) -> None:
    assert without_password(f"postgresql:amends:{password}@db/orders") == "postgresql:***@db/orders"


@pytest.mark.parametrize("option", ["password", "sslpassword", "Password"])
def test_a_password_among_the_options_is_hidden_as_well(option: str) -> None:
    shown = without_password(f"postgresql://db/orders?{option}=secret&sslmode=require")
    assert shown == f"postgresql://db/orders?{option}=***&sslmode=require"


@pytest.mark.parametrize(
    "url",
    [
        "memory:",
        "sqlite:///amends.db",
        "sqlite:////data/a:b@c/amends.db",
        "postgresql://amends@db/orders",
        "postgresql:///x",
    ],
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url
    assert without_passwords(f"the store {url} is there") == f"the store {url} is there"


def test_the_passwords_of_all_urls_in_a_text_are_hidden_and_the_text_stays() -> None:
    text = "at 10:00 a@b.c ran ['--store', 'postgresql://u:secret@h/d'] beside postgres://u:secret@h/e"
    assert without_passwords(text) == (
        "at 10:00 a@b.c ran ['--store', 'postgresql://u:***@h/d'] beside postgres://u:***@h/e"
    )


def test_settings_that_are_printed_show_no_password() -> None:
    settings = Settings(store="postgresql://u:secret@h/d")
    assert "secret" not in repr(settings)
    assert settings.shown_store == "postgresql://u:***@h/d"


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one != "services"])
def test_no_setting_that_is_refused_shows_the_password_of_a_url_that_came_to_it(setting: str) -> None:
    url = "postgre-sql://u:secret@h/d"  # no scheme has a dash
    with pytest.raises(InvalidSettings) as caught:
        settings_of({setting: url})
    assert "secret" not in str(caught.value)


def test_only_what_opens_the_store_is_given_its_url() -> None:
    """Whatever else shows the URL takes `shown_store`; this finds a new place that does not."""
    assert "store" in {one.name for one in fields(Settings)}
    found = [
        f"{name(path)}:{node.lineno}"
        for path in modules("runtime")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "store" and _is_settings(node.value)
        if not any(_opens(call, node) for call in ast.walk(tree(path)))
    ]
    assert found == []


def _is_settings(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "settings") or (
        isinstance(node, ast.Name) and node.id == "settings"
    )


def _opens(call: ast.AST, url: ast.expr) -> bool:
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("open_store", "view_of")
        and (url in call.args)
    )
