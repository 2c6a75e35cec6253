"""Handlers by themselves: made with a state, and called."""

from __future__ import annotations

from examples.trip.services import Flights, Hotels, Rentals
from examples.trip.trip_pb2 import (
    CarReserved,
    FlightState,
    HotelState,
    NoCarLeft,
    ReleaseCar,
    ReleaseRoom,
    ReleaseSeat,
    RentalState,
    ReserveCar,
    ReserveRoom,
    RoomReserved,
)


async def test_a_room_that_was_reserved_is_free_again_once_it_is_released() -> None:
    hotel = Hotels.of(HotelState(rooms=1))
    assert isinstance(await hotel.reserve(ReserveRoom(trip_id="T-1")), RoomReserved)
    await hotel.release(ReleaseRoom(trip_id="T-1"))
    assert (hotel.state.reserved, hotel.state.released) == (1, 1)


async def test_a_room_that_was_never_reserved_is_not_released() -> None:
    hotel = Hotels.of(HotelState(rooms=1, reserved=1), do_failed=True)
    await hotel.release(ReleaseRoom(trip_id="T-2"))
    assert hotel.state.released == 0, "the reserved room is another's"


async def test_a_seat_that_was_never_reserved_is_not_released() -> None:
    flight = Flights.of(FlightState(seats=1, reserved=1), do_failed=True)
    await flight.release(ReleaseSeat(trip_id="T-2"))
    assert flight.state.released == 0, "the reserved seat is another's"


async def test_a_car_that_is_back_is_rented_out_again() -> None:
    rental = Rentals.of(RentalState(cars=1))
    assert isinstance(await rental.reserve(ReserveCar(trip_id="T-1")), CarReserved)
    assert isinstance(await rental.reserve(ReserveCar(trip_id="T-2")), NoCarLeft)
    await rental.release(ReleaseCar(trip_id="T-1"))
    assert isinstance(await rental.reserve(ReserveCar(trip_id="T-3")), CarReserved)


async def test_a_car_that_was_never_reserved_is_not_released() -> None:
    rental = Rentals.of(RentalState(cars=1, reserved=1), do_failed=True)
    await rental.release(ReleaseCar(trip_id="T-2"))
    assert rental.state.released == 0, "the reserved car is another's"
