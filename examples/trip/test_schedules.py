"""Every schedule of the saga, to a bound: answers, refusals, silence and faults, in any order, twice or late."""

from __future__ import annotations

from examples.trip.saga import BookTrip
from runtime.testing import Bounds, explore


def test_no_order_of_events_leaves_a_seat_a_room_or_a_car_behind() -> None:
    explored = explore(BookTrip, bounds=Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0))
    explored.check()
    assert set(explored.ends) == {"completed", "compensated", "stuck"}
