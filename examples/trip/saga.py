"""The saga: a seat, a room and a car at the same time, and then the money; whatever fails gives back what was reserved.

            ┌▶ ReserveSeat ─┐
TripStarted ┼▶ ReserveRoom ─┼▶ Pay ─▶ ConfirmTrip ─▶ completed
            └▶ ReserveCar ──┘

                                                ┌▶ ReleaseCar ──┐
SoldOut, FullyBooked, NoCarLeft or CardDeclined ┼▶ ReleaseRoom ─┼▶ CancelTrip ─▶ compensated
                                                └▶ ReleaseSeat ─┘
"""

from __future__ import annotations

from examples.trip.trip_pb2 import (
    BookTripState,
    CancelTrip,
    CardDeclined,
    CarReleased,
    CarReserved,
    ConfirmTrip,
    FullyBooked,
    NoCarLeft,
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
    SoldOut,
    TripCancelled,
    TripConfirmed,
    TripStarted,
)
from runtime import Saga, Step, on, seconds

__all__ = ["BookTrip"]


def begin(event: TripStarted) -> BookTripState:
    return BookTripState(
        trip_id=event.trip_id,
        flight=event.flight,
        hotel=event.hotel,
        rental=event.rental,
        price_cents=event.price_cents,
    )


def reserve_seat(state: BookTripState) -> ReserveSeat:
    return ReserveSeat(flight=state.flight, trip_id=state.trip_id)


def release_seat(state: BookTripState) -> ReleaseSeat:
    return ReleaseSeat(flight=state.flight, trip_id=state.trip_id)


def reserve_room(state: BookTripState) -> ReserveRoom:
    return ReserveRoom(hotel=state.hotel, trip_id=state.trip_id)


def release_room(state: BookTripState) -> ReleaseRoom:
    return ReleaseRoom(hotel=state.hotel, trip_id=state.trip_id)


def reserve_car(state: BookTripState) -> ReserveCar:
    return ReserveCar(rental=state.rental, trip_id=state.trip_id)


def release_car(state: BookTripState) -> ReleaseCar:
    return ReleaseCar(rental=state.rental, trip_id=state.trip_id)


def pay(state: BookTripState) -> Pay:
    return Pay(trip_id=state.trip_id, price_cents=state.price_cents)


def confirm(state: BookTripState) -> ConfirmTrip:
    return ConfirmTrip(trip_id=state.trip_id)


def cancel(state: BookTripState, reason: str) -> CancelTrip:
    return CancelTrip(trip_id=state.trip_id, reason=reason)


class BookTrip(Saga[BookTripState], kind="book-trip"):
    """Books a trip whole, or not at all."""

    started_by = on(TripStarted, begin)

    seat = Step(
        do=reserve_seat, done=SeatReserved, refused=SoldOut, undo=release_seat, undone=SeatReleased, timeout=seconds(30)
    )
    room = Step(
        do=reserve_room,
        done=RoomReserved,
        refused=FullyBooked,
        undo=release_room,
        undone=RoomReleased,
        timeout=seconds(30),
    )
    car = Step(
        do=reserve_car, done=CarReserved, refused=NoCarLeft, undo=release_car, undone=CarReleased, timeout=seconds(30)
    )
    money = Step(do=pay, done=Paid, refused=CardDeclined, timeout=seconds(60), pivot=True)
    close = Step(do=confirm, done=TripConfirmed, timeout=seconds(30))
    flow = (seat | room | car) >> money >> close

    closing = Step(cancel, done=TripCancelled)
