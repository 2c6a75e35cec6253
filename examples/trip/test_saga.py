"""The saga by itself: no runtime, no waiting. Given this message, expect those commands."""

from __future__ import annotations

from examples.trip.saga import BookTrip
from examples.trip.trip_pb2 import (
    CancelTrip,
    CardDeclined,
    ConfirmTrip,
    FullyBooked,
    Paid,
    Pay,
    ReleaseRoom,
    ReleaseSeat,
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

STARTED = TripStarted(trip_id="T-1", flight="LX1", hotel="Ritz", price_cents=30_000)


def test_a_trip_is_booked_step_by_step() -> None:
    trip = SagaTranscript(BookTrip)
    trip.given(STARTED).expect(ReserveSeat(flight="LX1", trip_id="T-1"))
    trip.given(SeatReserved(trip_id="T-1")).expect(ReserveRoom)
    trip.given(RoomReserved(trip_id="T-1")).expect(Pay(trip_id="T-1", price_cents=30_000))
    trip.given(Paid(trip_id="T-1")).expect(ConfirmTrip)
    trip.given(TripConfirmed(trip_id="T-1")).expect().expect_status("completed")


def test_a_hotel_without_a_room_gives_the_seat_back() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED).given(SeatReserved(trip_id="T-1"))
    trip.given(FullyBooked(trip_id="T-1")).expect(ReleaseSeat(flight="LX1", trip_id="T-1"))
    trip.given(SeatReleased(trip_id="T-1")).expect(CancelTrip)
    trip.given(TripCancelled(trip_id="T-1")).expect_status("compensated", reason="FullyBooked")


def test_a_declined_card_gives_back_the_room_and_then_the_seat() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED).given(SeatReserved(trip_id="T-1")).given(RoomReserved(trip_id="T-1"))
    trip.given(CardDeclined(trip_id="T-1", reason="limit")).expect(ReleaseRoom)
    trip.given(RoomReleased(trip_id="T-1")).expect(ReleaseSeat)
    trip.given(SeatReleased(trip_id="T-1")).expect(CancelTrip)


def test_a_hotel_that_stays_silent_may_have_reserved_and_is_told_to_release() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED).given(SeatReserved(trip_id="T-1"))
    trip.given_silence().expect(ReleaseRoom)
    trip.given_nothing_to_undo().expect(ReleaseSeat)


def test_money_is_asked_for_again_since_nobody_knows_whether_it_moved() -> None:
    trip = SagaTranscript(BookTrip).given(STARTED).given(SeatReserved(trip_id="T-1")).given(RoomReserved(trip_id="T-1"))
    trip.given_silence().expect(Pay).expect_status("running")
