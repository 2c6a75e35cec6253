"""A turn's messages are judged in an order that fits, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runtime.store.records import HistoryRow, Outcome
from tests.proof.workloads.turn_orders import after_turn


@dataclass(slots=True)
class _RoomsInTurn:
    """Goes from one room to the next only, from 0 on."""

    room: int = 0

    def broken(self, rows: Iterable[HistoryRow]) -> Iterator[str]:
        for row in rows:
            if int(row.type) != self.room + 1:
                yield f"room {row.type} after {self.room}"
            self.room = int(row.type)


def _row(type: str, sender: str = "") -> HistoryRow:
    return HistoryRow(b"c", b"", "doors", "1", 0, 1, 0.0, Outcome.HANDLED, 1, "n", "", type, sender, b"", 0.0, b"")


def test_an_order_that_fits_is_found_among_those_of_twenty_messages() -> None:
    model, mistakes = after_turn(_RoomsInTurn(), [_row(str(room)) for room in range(20, 0, -1)])
    assert (model.room, mistakes) == (20, [])


def test_where_no_order_fits_the_mistakes_of_the_given_one_are_told() -> None:
    model, mistakes = after_turn(_RoomsInTurn(), [_row("2"), _row("3")])
    assert (model.room, mistakes) == (3, ["room 2 after 0"])


def test_rows_that_are_alike_are_each_counted() -> None:
    _, mistakes = after_turn(_RoomsInTurn(), [_row("1"), _row("1")])
    assert mistakes == ["room 1 after 1"]


def test_the_model_that_is_given_stays_as_it_is() -> None:
    door = _RoomsInTurn()
    after_turn(door, [_row("1")])
    assert door.room == 0
