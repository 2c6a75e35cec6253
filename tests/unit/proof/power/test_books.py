"""The books that are kept outside of the store: what a disk has to hold after a power cut, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.adapters import system_ports
from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.samples import mail_row, post, turn
from tests.proof.power.books import Books, RowsFound

POST, TURN = post(mail_row(1)), turn(1, mail=[mail_row(2, "b")])


@pytest.fixture
def books() -> Books:
    return Books(system_ports())


async def commit(books: Books, *batch: Transition) -> None:
    books.begins(batch)
    await books.answered_with(batch, [Verdict.COMMITTED] * len(batch))


def after(*batch: Transition) -> RowsFound:
    """What is on the disk when just these were written, the last turn's mail and actors being what is left."""
    consumed = {id for one in batch for id in one.consumed}
    return RowsFound(
        [one.actor for one in batch if one.actor is not None],
        [row for one in batch for row in one.mail if row.id not in consumed],
        [row for one in batch for row in one.history],
    )


async def test_a_disk_that_holds_what_was_answered_is_fine(books: Books) -> None:
    await commit(books, POST)
    await commit(books, TURN)
    await books.compare(after(POST, TURN))
    assert not books.lost and not books.wrong and not books.ledger.violations


async def test_a_commit_that_was_answered_and_is_gone_is_lost(books: Books) -> None:
    await commit(books, POST)
    await commit(books, TURN)
    await books.compare(after(POST))
    [lost] = books.lost
    assert "billing/a at revision 1" in lost.what


async def test_half_a_commit_is_found(books: Books) -> None:
    await commit(books, POST, TURN)
    whole = after(POST, TURN)
    await books.compare(replace(whole, history=()))
    assert "trip.Pay" in books.lost[0].what


async def test_what_nobody_committed_is_found(books: Books) -> None:
    await commit(books, POST)
    await books.compare(after(POST, post(mail_row(9))))
    assert not books.lost
    assert "message" in books.wrong[0].what


async def test_a_row_with_other_content_is_found(books: Books) -> None:
    await commit(books, POST)
    await books.compare(RowsFound(mail=[mail_row(1, envelope=b"other")]))
    assert books.lost and books.wrong


@pytest.mark.parametrize("kept", [True, False])
async def test_a_commit_under_way_may_be_there_or_not(books: Books, kept: bool) -> None:
    await commit(books, POST)
    books.begins([TURN])
    await books.compare(after(POST, TURN) if kept else after(POST))
    assert not books.lost and not books.wrong
    assert (books.kept_unanswered, books.dropped_unanswered) == (int(kept), int(not kept))
    # From now on it is known: the next cut may not change it.
    await books.compare(after(POST) if kept else after(POST, TURN))
    assert books.lost or books.wrong


async def test_half_of_a_commit_under_way_is_found(books: Books) -> None:
    await commit(books, POST)
    books.begins([TURN])
    await books.compare(replace(after(POST, TURN), mail=()))
    assert books.lost or books.wrong


async def test_a_commit_that_was_refused_must_not_turn_up(books: Books) -> None:
    books.begins([POST])
    books.refused()
    await books.compare(after(POST))
    assert books.wrong


@pytest.mark.parametrize("there", [True, False])
async def test_what_was_said_of_an_unknown_commit_is_held_to(books: Books, there: bool) -> None:
    books.begins([POST])
    await books.settled([POST], [there])
    await books.compare(RowsFound() if there else after(POST))
    assert books.lost if there else books.wrong


async def test_it_must_not_be_said_that_there_is_what_cannot_be(books: Books) -> None:
    books.begins([TURN])
    await books.settled([TURN], [True])  # its mail never came
    assert books.wrong


async def test_a_verdict_other_than_it_should_be_is_found(books: Books) -> None:
    books.begins([TURN])
    await books.answered_with([TURN], [Verdict.COMMITTED])
    assert books.wrong


async def test_a_store_that_forgot_who_it_is_is_found(books: Books) -> None:
    books.opened("one")
    books.opened("one")
    assert not books.lost
    books.opened("other")
    assert books.lost
