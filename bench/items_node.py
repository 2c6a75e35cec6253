"""A node that books a seat on each of so many flights: what `bench.items` measures."""

from __future__ import annotations

from examples.trip import trip_pb2
from examples.trip.trip_pb2 import (
    BookTripState,
    FlightState,
    ReleaseSeat,
    ReserveSeat,
    SeatReleased,
    SeatReserved,
    StartTrip,
    TripStarted,
    TripState,
)
from runtime import Catalogue, Each, Saga, Service, Step, launch, minutes, on

__all__ = ["BookAll", "catalogue"]


class BenchTrips(Service[TripState], kind="trips"):
    async def start(self, command: StartTrip) -> TripStarted:
        """The price is the number of flights."""
        return TripStarted(trip_id=self.key, price_cents=command.price_cents)


class BenchFlights(Service[FlightState], kind="flights"):
    async def reserve(self, command: ReserveSeat) -> SeatReserved:
        self.state.reserved += 1
        return SeatReserved(trip_id=command.trip_id)

    async def release(self, command: ReleaseSeat) -> SeatReleased:
        self.state.released += 1
        return SeatReleased(trip_id=command.trip_id)


def begin(event: TripStarted) -> BookTripState:
    return BookTripState(trip_id=event.trip_id, price_cents=event.price_cents)


def flights(state: BookTripState) -> list[str]:
    return [f"{state.trip_id}-{number}" for number in range(state.price_cents)]


def reserve(state: BookTripState, flight: str) -> ReserveSeat:
    return ReserveSeat(trip_id=state.trip_id, flight=flight)


def release(state: BookTripState, flight: str) -> ReleaseSeat:
    return ReleaseSeat(trip_id=state.trip_id, flight=flight)


class BookAll(Saga[BookTripState], kind="book-all"):
    started_by = on(TripStarted, begin)
    seats = Each(
        flights,
        Step(reserve, SeatReserved, undo=release, undone=SeatReleased, timeout=minutes(5)),
        at_once=1_000,
    )
    flow = seats


def catalogue() -> Catalogue:
    return Catalogue(contracts=[trip_pb2], services={"all": [BenchTrips, BenchFlights, BookAll]})


if __name__ == "__main__":
    launch(catalogue())
