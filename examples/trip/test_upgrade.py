"""The next release of the saga, and how it carries on what the last one began."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from examples.trip.saga import BookTrip
from examples.trip.test_saga import STARTED
from examples.trip.trip_pb2 import (
    BookTripState,
    CarReserved,
    Paid,
    Pay,
    ReserveCar,
    ReserveRoom,
    ReserveSeat,
    RoomReserved,
    SeatReserved,
)
from runtime import Carried, Position, Saga, Wait, renames, seconds
from runtime.testing import SagaTranscript


def with_fee(old: BookTripState, position: Position) -> Carried:
    is_paid = position.tasks["money"] != "waiting"
    old.price_cents += 0 if is_paid else 500
    return Carried(old, tasks={"seat": "flight"})


class NextBookTrip(Saga[BookTripState], kind="book-trip"):
    """The seat is called a flight, there is a fee, and a trip rests before it is confirmed."""

    started_by = BookTrip.started_by
    flight = replace(BookTrip.seat)
    room = replace(BookTrip.room)
    car = replace(BookTrip.car)
    money = replace(BookTrip.money)
    rest = Wait(seconds(5))
    close = replace(BookTrip.close)
    flow = (flight | room | car) >> money >> rest >> close
    closing = BookTrip.closing
    carries = MappingProxyType({BookTrip: with_fee})


def test_a_trip_goes_on_by_the_next_release() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED).expect(ReserveSeat, ReserveRoom, ReserveCar)
    later = SagaTranscript(NextBookTrip).carrying_on(trip)
    later.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat)).expect()
    later.given(RoomReserved(trip_id="T-1"), to=trip.command(ReserveRoom)).expect()
    later.given(CarReserved(trip_id="T-1"), to=trip.command(ReserveCar)).expect(Pay(trip_id="T-1", price_cents=30_500))
    later.given(Paid(trip_id="T-1")).expect()
    assert later.step_status("rest") == "timed"


def test_a_step_may_have_another_name_and_nothing_else() -> None:
    class RenamedTrip(Saga[BookTripState], kind="book-trip"):
        started_by = BookTrip.started_by
        flight = replace(BookTrip.seat)
        room = replace(BookTrip.room)
        car = replace(BookTrip.car)
        flow = flight | room | car
        closing = BookTrip.closing
        carries = MappingProxyType({BookTrip: renames(seat="flight")})

    trip = SagaTranscript(BookTrip).given(STARTED)
    later = SagaTranscript(RenamedTrip).carrying_on(trip)
    later.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat)).expect()
    assert later.step_status("flight") == "done"
