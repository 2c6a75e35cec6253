"""The whole deployment on two nodes, in virtual time: minutes pass in milliseconds."""

from __future__ import annotations

from examples.trip.catalogue import catalogue
from examples.trip.trip_pb2 import (
    CANCELLED,
    CONFIRMED,
    FlightState,
    OpenFlight,
    OpenHotel,
    OpenRental,
    PaymentState,
    RentalState,
    StartTrip,
    TripStarted,
    TripState,
)
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster

TRIP = StartTrip(trip_id="T-1", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=30_000)


async def opened(cluster: Cluster, *, rooms: int = 1) -> Cluster:
    await cluster.send(OpenFlight(flight="LX1", seats=1))
    await cluster.send(OpenHotel(hotel="Ritz", rooms=rooms))
    await cluster.send(OpenRental(rental="Wheels", cars=1))
    return cluster


async def test_a_trip_is_booked(make_cluster: MakeCluster) -> None:
    cluster = await opened(await make_cluster(catalogue(), nodes=2))
    await cluster.send(TRIP, TripStarted)
    await cluster.at_rest()
    assert (await cluster.state("trips", "T-1", TripState)).status == CONFIRMED
    assert await cluster.status("book-trip", "T-1") == "completed"


async def test_a_full_hotel_leaves_the_seat_and_the_car_to_others(make_cluster: MakeCluster) -> None:
    cluster = await opened(await make_cluster(catalogue(), nodes=2), rooms=0)
    await cluster.send(TRIP, TripStarted)
    await cluster.at_rest()
    trip = await cluster.state("trips", "T-1", TripState)
    flight = await cluster.state("flights", "LX1", FlightState)
    rental = await cluster.state("rentals", "Wheels", RentalState)
    assert trip.status == CANCELLED and flight.reserved == flight.released and rental.reserved == rental.released
    told = await cluster.conversation("trips", "T-1")
    assert "ReleaseSeat" in told and "ReleaseCar" in told


async def test_a_payment_that_is_down_is_waited_for_and_charged_once(make_cluster: MakeCluster) -> None:
    shops = ["trips", "flights", "hotels", "rentals"]
    cluster = await make_cluster(catalogue(), nodes={"web": shops, "bank": ["payments"]})
    await opened(cluster)
    cluster.kill("bank")
    await cluster.send(TRIP, TripStarted, node="web")
    await cluster.advance(300.0)
    assert await cluster.status("book-trip", "T-1") == "running"
    await cluster.restart("bank")
    await cluster.at_rest()
    assert (await cluster.state("payments", "T-1", PaymentState)).payments == 1
    assert (await cluster.state("trips", "T-1", TripState)).status == CONFIRMED
