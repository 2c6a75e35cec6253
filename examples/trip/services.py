"""The services of a trip. Flights, hotels and rentals count, and remember no trip: each message is handled once.

What was never reserved is not released: an undo may run although nothing of its do is in the state (`self.do_failed`).
"""

from __future__ import annotations

from examples.trip.trip_pb2 import (
    CANCELLED,
    CONFIRMED,
    NONE,
    STARTED,
    CancelTrip,
    CardDeclined,
    CarReleased,
    CarReserved,
    ConfirmTrip,
    FlightState,
    FullyBooked,
    HotelState,
    NoCarLeft,
    OpenFlight,
    OpenHotel,
    OpenRental,
    Paid,
    Pay,
    PaymentState,
    ReleaseCar,
    ReleaseRoom,
    ReleaseSeat,
    RentalState,
    ReserveCar,
    ReserveRoom,
    ReserveSeat,
    RoomReleased,
    RoomReserved,
    SeatReleased,
    SeatReserved,
    SoldOut,
    StartTrip,
    TripCancelled,
    TripConfirmed,
    TripStarted,
    TripState,
)
from runtime import Service

__all__ = ["LIMIT_CENTS", "Flights", "Hotels", "Payments", "Rentals", "Trips"]

LIMIT_CENTS = 200_000
"""Cards pay no more at once."""


class Trips(Service[TripState], kind="trips"):
    """What clients ask for, and what became of it."""

    async def start(self, command: StartTrip) -> TripStarted | None:
        """The same trip again starts nothing."""
        trip = self.state
        if trip.status != NONE:
            return None
        trip.status = STARTED
        trip.flight, trip.hotel, trip.rental = command.flight, command.hotel, command.rental
        trip.price_cents = command.price_cents
        return TripStarted(
            trip_id=self.key,
            flight=trip.flight,
            hotel=trip.hotel,
            rental=trip.rental,
            price_cents=trip.price_cents,
        )

    async def confirm(self, command: ConfirmTrip) -> TripConfirmed:
        self.state.status = CONFIRMED
        return TripConfirmed(trip_id=self.key)

    async def cancel(self, command: CancelTrip) -> TripCancelled:
        self.state.status = CANCELLED
        self.state.reason = command.reason
        return TripCancelled(trip_id=self.key, reason=command.reason)


class Flights(Service[FlightState], kind="flights"):
    async def open(self, command: OpenFlight) -> None:
        self.state.seats = command.seats

    async def reserve(self, command: ReserveSeat) -> SeatReserved | SoldOut:
        flight = self.state
        if flight.reserved - flight.released >= flight.seats:
            return SoldOut(trip_id=command.trip_id)
        flight.reserved += 1
        return SeatReserved(trip_id=command.trip_id)

    async def release(self, command: ReleaseSeat) -> SeatReleased:
        if not self.do_failed:
            self.state.released += 1
        return SeatReleased(trip_id=command.trip_id)


class Hotels(Service[HotelState], kind="hotels"):
    async def open(self, command: OpenHotel) -> None:
        self.state.rooms = command.rooms

    async def reserve(self, command: ReserveRoom) -> RoomReserved | FullyBooked:
        hotel = self.state
        if hotel.reserved - hotel.released >= hotel.rooms:
            return FullyBooked(trip_id=command.trip_id)
        hotel.reserved += 1
        return RoomReserved(trip_id=command.trip_id)

    async def release(self, command: ReleaseRoom) -> RoomReleased:
        if not self.do_failed:
            self.state.released += 1
        return RoomReleased(trip_id=command.trip_id)


class Rentals(Service[RentalState], kind="rentals"):
    async def open(self, command: OpenRental) -> None:
        self.state.cars = command.cars

    async def reserve(self, command: ReserveCar) -> CarReserved | NoCarLeft:
        rental = self.state
        if rental.reserved - rental.released >= rental.cars:
            return NoCarLeft(trip_id=command.trip_id)
        rental.reserved += 1
        return CarReserved(trip_id=command.trip_id)

    async def release(self, command: ReleaseCar) -> CarReleased:
        if not self.do_failed:
            self.state.released += 1
        return CarReleased(trip_id=command.trip_id)


class Payments(Service[PaymentState], kind="payments"):
    """A trip is paid once, however often a saga that heard no answer asks."""

    async def pay(self, command: Pay) -> Paid | CardDeclined:
        payment = self.state
        if not payment.payments and not payment.declined:
            self._charge(command.price_cents)
        if payment.declined:
            return CardDeclined(trip_id=self.key, reason=payment.declined)
        return Paid(trip_id=self.key)

    def _charge(self, price_cents: int) -> None:
        if price_cents > LIMIT_CENTS:
            self.state.declined = f"{price_cents} cents are above the card's limit"
            return
        self.state.payments += 1
        self.state.paid_cents = price_cents
