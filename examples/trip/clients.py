"""Travellers of a simulation, and what must be true of seats, rooms, cars and money when the last of them is home.

python -m runtime.testing simulate --workload examples.trip.clients:Travellers@examples.trip.catalogue:catalogue
"""

from __future__ import annotations

from collections.abc import Iterator

from examples.trip.services import LIMIT_CENTS
from examples.trip.trip_pb2 import (
    CANCELLED,
    CONFIRMED,
    FlightState,
    HotelState,
    OpenFlight,
    OpenHotel,
    OpenRental,
    PaymentState,
    RentalState,
    StartTrip,
    TripState,
    TripStatus,
)
from runtime.testing import Clients, Dice, Violation, World

__all__ = ["Travellers"]

TRAVELLERS = 4
TRIPS_EACH = 3
SEATS, ROOMS, CARS = 8, 6, 7  # fewer than trips, so that some find none
PRICES_CENTS = (30_000, 90_000, LIMIT_CENTS + 1)  # the last is declined


class Travellers(Clients):
    """Each starts one trip after another, all at the same time."""

    def __init__(self, world: World, dice: Dice) -> None:
        super().__init__(world, dice)
        self.trips = [self._trip(number) for number in range(TRAVELLERS * TRIPS_EACH)]

    def _trip(self, number: int) -> StartTrip:
        price_cents = self.dice.choose(PRICES_CENTS)
        return StartTrip(trip_id=f"T-{number}", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=price_cents)

    async def run(self) -> None:
        await self.insist(OpenFlight(flight="LX1", seats=SEATS))
        await self.insist(OpenHotel(hotel="Ritz", rooms=ROOMS))
        await self.insist(OpenRental(rental="Wheels", cars=CARS))
        await self.together(*(self.trips[number::TRAVELLERS] for number in range(TRAVELLERS)))

    def check(self) -> Iterator[Violation]:
        trips, payments = self.states("trips", TripState), self.states("payments", PaymentState)
        for wanted in self.trips:
            trip = trips.get(wanted.trip_id, TripState())
            paid = payments.get(wanted.trip_id, PaymentState())
            status, story = TripStatus.Name(trip.status), self.conversation("trips", wanted.trip_id)
            if trip.status not in (CONFIRMED, CANCELLED):
                yield Violation("I4", f"{wanted.trip_id} did not end: it is {status}", story)
            if paid.payments != (trip.status == CONFIRMED):
                yield Violation("I5", f"{wanted.trip_id} is {status}, paid {paid.payments} times", story)
        confirmed = sum(trip.status == CONFIRMED for trip in trips.values())
        flight = self.states("flights", FlightState)["LX1"]
        hotel = self.states("hotels", HotelState)["Ritz"]
        rental = self.states("rentals", RentalState)["Wheels"]
        for what, counted in (("seats", flight), ("rooms", hotel), ("cars", rental)):
            kept = counted.reserved - counted.released
            if kept != confirmed:
                yield Violation("I3", f"{kept} {what} are taken, for {confirmed} confirmed trips")
