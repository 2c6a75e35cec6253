"""The saga by itself: no runtime, no waiting. Given this message, expect those commands."""

from __future__ import annotations

from examples.trip.saga import BookTrip
from examples.trip.trip_pb2 import (
    CancelTrip,
    CardDeclined,
    CarReleased,
    CarReserved,
    ConfirmTrip,
    FullyBooked,
    Paid,
    Pay,
    ReleaseCar,
    ReleaseRoom,
    ReleaseSeat,
    ReserveCar,
    ReserveRoom,
    ReserveSeat,
    RoomReleased,
    RoomReserved,
    SeatReleased,
    SeatReserved,
    TripCancelled,
    TripConfirmed,
    TripStarted,
)
from runtime.testing import SagaTranscript

STARTED = TripStarted(trip_id="T-1", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=30_000)


def reserved() -> SagaTranscript:
    """Seat, room and car are reserved, and the money is asked for."""
    trip = SagaTranscript(BookTrip).given(STARTED)
    trip.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat))
    trip.given(RoomReserved(trip_id="T-1"), to=trip.command(ReserveRoom))
    return trip.given(CarReserved(trip_id="T-1"), to=trip.command(ReserveCar))


def test_a_trip_is_booked() -> None:
    trip = SagaTranscript(BookTrip)
    trip.given(STARTED).expect(ReserveSeat(flight="LX1", trip_id="T-1"), ReserveRoom, ReserveCar)
    trip.given(RoomReserved(trip_id="T-1"), to=trip.command(ReserveRoom)).expect()
    trip.given(CarReserved(trip_id="T-1"), to=trip.command(ReserveCar)).expect()
    trip.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat))
    trip.expect(Pay(trip_id="T-1", price_cents=30_000))
    trip.given(Paid(trip_id="T-1")).expect(ConfirmTrip)
    trip.given(TripConfirmed(trip_id="T-1")).expect().expect_status("completed")


def test_a_full_hotel_gives_back_the_seat_and_the_car_though_that_may_not_be_reserved_yet() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED)
    trip.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat)).expect()
    trip.given(FullyBooked(trip_id="T-1"), to=trip.command(ReserveRoom)).expect(ReleaseCar, ReleaseSeat)
    trip.given(SeatReleased(trip_id="T-1"), to=trip.command(ReleaseSeat)).expect()
    trip.given(CarReleased(trip_id="T-1"), to=trip.command(ReleaseCar)).expect(CancelTrip)
    trip.given(TripCancelled(trip_id="T-1")).expect_status("compensated", reason="FullyBooked")


def test_a_declined_card_gives_back_all_three() -> None:
    trip = reserved().given(CardDeclined(trip_id="T-1", reason="limit")).expect(ReleaseCar, ReleaseRoom, ReleaseSeat)
    trip.given(RoomReleased(trip_id="T-1"), to=trip.command(ReleaseRoom)).expect()
    trip.given(SeatReleased(trip_id="T-1"), to=trip.command(ReleaseSeat)).expect()
    trip.given(CarReleased(trip_id="T-1"), to=trip.command(ReleaseCar)).expect(CancelTrip)


def test_a_hotel_that_stays_silent_may_have_reserved_and_is_told_to_release() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED)
    trip.given(SeatReserved(trip_id="T-1"), to=trip.command(ReserveSeat))
    trip.given(CarReserved(trip_id="T-1"), to=trip.command(ReserveCar))
    trip.given_silence("room").expect(ReleaseCar, ReleaseRoom, ReleaseSeat)
    trip.given_nothing_to_undo(to=trip.command(ReleaseRoom)).expect()


def test_money_is_asked_for_again_since_nobody_knows_whether_it_moved() -> None:
    reserved().given_silence().expect(Pay).expect_status("running")
