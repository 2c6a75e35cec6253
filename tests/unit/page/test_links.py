"""Each key has an address that leads back to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidMessage
from runtime.page.links import actor_link, address_link, link, read_address

# More kinds than there can be: they are words of letters, digits and hyphens.
_KINDS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1).filter(lambda kind: kind.strip("."))


@given(_KINDS, st.text(st.characters(codec="utf-8")))
def test_the_link_of_an_actor_names_it_again(kind: str, key: str) -> None:
    address = actor_link(kind, key)
    assert address.isascii() and address.isprintable()
    target = read_address(address)
    named = target.path[2] if len(target.path) > 2 else target.query["key"]
    assert (target.path[1], named) == (kind, key)
    if "?" not in address:
        assert not {".", ".."} & set(address.split("/")), "a browser would take this out of the path"


def test_a_field_that_is_repeated_has_commas() -> None:
    assert read_address("/sagas?status=stuck&status=running").query == {"status": "stuck,running"}


def test_empty_fields_are_left_out_of_a_link() -> None:
    assert link("/sagas", {"kind": "", "key": "a b&c", "from": 0}) == "/sagas?key=a%20b%26c"


def test_a_client_has_no_link() -> None:
    assert address_link("client") == ""


@pytest.mark.parametrize("text", ["-1", "x", "1e9", "٣", "9" * 10])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage, match="is no number"):
        read_address(link("/", {"from": text})).integer("from")
