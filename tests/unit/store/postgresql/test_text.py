"""Text that PostgreSQL cannot keep is kept all the same, and sorts and begins as it was given."""

from __future__ import annotations

from hypothesis import given as example
from hypothesis import strategies as st

from runtime.store.postgresql.text import given, given_row, kept, kept_column

TEXTS = st.text(st.sampled_from("\0\1\2aZé🚚"), max_size=6)


@example(TEXTS)
def test_what_is_kept_has_no_nul_and_is_given_back_as_it_was(text: str) -> None:
    assert "\0" not in kept(text)
    assert given(kept(text)) == text


@example(TEXTS, TEXTS)
def test_kept_texts_sort_as_the_given_ones_do(one: str, another: str) -> None:
    assert (kept(one).encode() < kept(another).encode()) == (one.encode() < another.encode())


@example(TEXTS, TEXTS)
def test_a_kept_text_begins_with_a_kept_prefix_if_it_began_so(text: str, prefix: str) -> None:
    assert kept(text).startswith(kept(prefix)) == text.startswith(prefix)


def test_only_texts_are_changed_in_columns_and_rows() -> None:
    assert kept_column(["a\0", None, b"\0", 1]) == ["a\1\1", None, b"\0", 1]
    assert given_row(("a\1\1", None, b"\1\1", 1)) == ("a\0", None, b"\1\1", 1)
