"""A kind that has another name now keeps the first one in all that is stored."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import InvalidDefinition
from runtime.kind_names import KindNames, conflicts, names_of_kind, never_heard_of

NAMES = KindNames([("billing", "charging", "invoicing"), ("sales",)])


def read(kind: Any, formerly: Any) -> tuple[str, ...]:
    return names_of_kind("service X", kind, formerly, "class X(...)")


def test_every_name_stands_for_the_first_one() -> None:
    assert [NAMES.stored(name) for name in ("billing", "charging", "invoicing", "sales")] == [*["billing"] * 3, "sales"]
    assert NAMES.renamed == {"charging", "invoicing"}


def test_a_name_that_is_not_known_stands_for_itself() -> None:
    assert NAMES.stored("warehouse") == "warehouse" and NAMES.stored("") == ""


def test_the_names_of_a_kind_begin_with_the_first() -> None:
    assert read("billing", ()) == ("billing",)
    assert read("invoicing", ("billing", "charging")) == ("billing", "charging", "invoicing")


def test_a_kind_may_have_a_former_name_again() -> None:
    assert read("billing", ("billing", "charging")) == ("billing", "charging")
    assert read("charging", ("billing", "charging", "invoicing")) == ("billing", "charging", "invoicing")


@pytest.mark.parametrize(
    ("kind", "formerly", "told"),
    [
        ("invoicing", "billing", "formerly is a tuple of the names that the kind had.*it is 'billing'"),
        ("invoicing", ["billing"], "formerly is a tuple"),
        ("invoicing", ("bil/ling",), "each name in formerly is a kind without a slash"),
        ("invoicing", ("",), "each name in formerly is a kind without a slash"),
        ("invoicing", (7,), "each name in formerly is a kind without a slash, in text; it has 7"),
        ("invoicing", ("billing", "billing"), "formerly has a name twice"),
        ("", ("billing",), r"service X needs a kind without a slash.*: class X\(\.\.\.\)"),
    ],
)
def test_what_cannot_be_a_name_is_refused(kind: object, formerly: object, told: str) -> None:
    with pytest.raises(InvalidDefinition, match=told):
        read(kind, formerly)


def told(*kinds: tuple[str, ...]) -> list[str]:
    """What a store that knows billing, invoicing as its other name, and sales, has against these names."""
    kept = {"billing": "billing", "invoicing": "billing", "sales": "sales"}
    return conflicts(KindNames(kinds).by_name, kept)


@pytest.mark.parametrize(
    "names",
    [
        [("billing", "invoicing")],
        [("billing",)],  # a node of the build before the rename
        [("billing", "invoicing", "accounts")],
        [("billing", "accounts")],
        [("warehouse",), ("sales",)],
    ],
)
def test_builds_before_and_after_a_rename_agree_with_the_store(names: list[tuple[str, ...]]) -> None:
    assert told(*names) == []


def test_a_build_that_has_dropped_formerly_is_refused_with_the_cure() -> None:
    [text] = told(("invoicing",))
    assert "'invoicing' is another name of the kind 'billing', and this build says that it is 'invoicing'" in text
    assert "let formerly of 'invoicing' begin with 'billing'" in text


def test_a_chain_of_renames_that_lacks_the_first_name_is_refused() -> None:
    [text] = told(("invoicing", "accounts"))
    assert "let formerly of 'invoicing' begin with 'billing'" in text


def test_a_rename_to_a_kind_that_the_store_has_is_refused() -> None:
    [text] = told(("billing", "sales"))
    assert "in this store 'sales' is a kind of its own" in text and "a name that the store does not know" in text


def test_a_first_name_of_which_the_store_has_never_heard_is_told_with_the_nearest() -> None:
    kept = {"billing": "billing", "sales": "sales"}
    [text] = never_heard_of(KindNames([("biling", "invoicing"), ("sales",)]), kept)
    assert "'invoicing' was formerly 'biling', of which this store has never heard" in text
    assert text.endswith("the nearest that it knows is 'billing'")
    assert never_heard_of(KindNames([("billing", "invoicing")]), kept) == []


def test_a_new_store_has_heard_of_nothing_and_that_is_no_mistake() -> None:
    assert never_heard_of(KindNames([("billing", "invoicing")]), {}) == []
