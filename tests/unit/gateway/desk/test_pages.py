"""Page tokens are checked, and no answer is larger than a client takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidMessage, MessageTooLarge
from runtime.gateway.desk.pages import ANSWER_BYTES_MAX, checked, cut, page_size_of, place_in, token_of
from runtime.protos.admin_pb2 import HistoryChange, SagaQuery

QUERY = SagaQuery(kind="order-process")


@given(place=st.text(min_size=1))
def test_a_token_gives_its_place_back(place: str) -> None:
    assert place_in(token_of(QUERY, place), QUERY) == place


@given(token=st.text(min_size=1, max_size=200))
def test_no_other_text_is_a_token(token: str) -> None:
    with pytest.raises(InvalidMessage, match=r"page_token is none.*begin again"):
        place_in(token, QUERY)


@given(at=st.integers(0, 200), char=st.sampled_from("Aa0_"))
def test_a_token_that_was_changed_is_refused(at: int, char: str) -> None:
    token = token_of(QUERY, "1000.0/order-process/ORD-1")
    at %= len(token)
    changed = token[:at] + char + token[at + 1 :]
    if changed != token:
        with pytest.raises(InvalidMessage):
            place_in(changed, QUERY)


def test_a_token_of_another_query_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="same query"):
        place_in(token_of(QUERY, "x"), SagaQuery(kind="other"))


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1])
def test_a_page_has_bounds(size: int) -> None:
    with pytest.raises(InvalidMessage, match="from 1 to 1000"):
        page_size_of(size)
    assert (page_size_of(0), page_size_of(1000)) == (100, 1000)


def test_a_page_ends_before_it_is_too_large_and_is_never_empty() -> None:
    large = HistoryChange(what="x" * (ANSWER_BYTES_MAX // 2))
    assert len(cut([large, large, large])) == 1
    assert len(cut([HistoryChange(what="x" * 2 * ANSWER_BYTES_MAX)])) == 1
    assert cut([]) == []
    with pytest.raises(MessageTooLarge, match="instead"):
        checked(HistoryChange(what="x" * 2 * ANSWER_BYTES_MAX), "instead")
