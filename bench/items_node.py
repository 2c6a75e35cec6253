"""A node that books a seat on each of so many flights: what `bench.items` measures."""

from __future__ import annotations

from examples.trip import trip_pb2
from examples.trip.trip_pb2 import (
    BookTripState,
    FlightState,
    Pay,
    ReleaseSeat,
    ReserveSeat,
    SeatReleased,
    SeatReserved,
    StartTrip,
    TripStarted,
    TripState,
)
from runtime import Catalogue, Child, Each, Saga, Service, Step, launch, minutes, on

__all__ = ["PAGE", "BookAll", "BookPages", "catalogue"]

PAGE = 100
"""Flights of one child saga."""


class BenchTrips(Service[TripState], kind="trips"):
    async def start(self, command: StartTrip) -> TripStarted:
        """The price is the number of flights; `flight` says which saga books them."""
        return TripStarted(trip_id=self.key, flight=command.flight, price_cents=command.price_cents)


class BenchFlights(Service[FlightState], kind="flights"):
    async def reserve(self, command: ReserveSeat) -> SeatReserved:
        self.state.reserved += 1
        return SeatReserved(trip_id=command.trip_id)

    async def release(self, command: ReleaseSeat) -> SeatReleased:
        self.state.released += 1
        return SeatReleased(trip_id=command.trip_id)


State = BookTripState | Pay | StartTrip
"""Of the three sagas: no two share a type of state."""


def begin(event: TripStarted) -> BookTripState:
    return BookTripState(trip_id=event.trip_id, price_cents=event.price_cents)


def begin_page(event: TripStarted) -> Pay:
    return Pay(trip_id=event.trip_id, price_cents=event.price_cents)


def begin_pages(event: TripStarted) -> StartTrip:
    return StartTrip(trip_id=event.trip_id, price_cents=event.price_cents)


def flights(state: State) -> list[str]:
    return [f"{state.trip_id}-{number}" for number in range(state.price_cents)]


def reserve(state: State, flight: str) -> ReserveSeat:
    return ReserveSeat(trip_id=state.trip_id, flight=flight)


def release(state: State, flight: str) -> ReleaseSeat:
    return ReleaseSeat(trip_id=state.trip_id, flight=flight)


def pages(state: StartTrip) -> list[BookTripState]:
    """Of each page the number of flights; its name is where it begins."""
    count = state.price_cents
    return [BookTripState(trip_id=str(at), price_cents=min(PAGE, count - at)) for at in range(0, count, PAGE)]


def page_begun(state: StartTrip, page: BookTripState) -> TripStarted:
    return TripStarted(trip_id=f"{state.trip_id}-{page.trip_id}", flight="page", price_cents=page.price_cents)


def seats(at_once: int) -> Each:
    step = Step(reserve, SeatReserved, undo=release, undone=SeatReleased, timeout=minutes(5))
    return Each(flights, step, at_once=at_once)


class BookAll(Saga[BookTripState], kind="book-all"):
    """All flights in one record."""

    started_by = on(TripStarted, begin, where={"flight": "all"})
    seats = seats(1_000)
    flow = seats


class BookPage(Saga[Pay], kind="book-page"):
    started_by = on(TripStarted, begin_page, where={"flight": "page"})
    seats = seats(PAGE)
    flow = seats


class BookPages(Saga[StartTrip], kind="book-pages"):
    """A child saga for each page of flights."""

    started_by = on(TripStarted, begin_pages, where={"flight": "pages"})
    pages = Each(pages, Child(BookPage, page_begun, timeout=minutes(5)), key="trip_id", at_once=10)
    flow = pages


def catalogue() -> Catalogue:
    return Catalogue(contracts=[trip_pb2], services={"all": [BenchTrips, BenchFlights, BookAll, BookPages, BookPage]})


if __name__ == "__main__":
    launch(catalogue())
