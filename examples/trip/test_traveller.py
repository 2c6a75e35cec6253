"""The traveller's program, against a real node."""

from __future__ import annotations

from pathlib import Path

from examples.trip.catalogue import catalogue
from examples.trip.traveller import book
from examples.trip.trip_pb2 import CONFIRMED, OpenFlight, OpenHotel, OpenRental, StartTrip
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node


async def test_a_trip_is_booked_from_outside_and_asked_for_again_without_a_second_one(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/trips.db", listen="127.0.0.1:0", name="a")
    node = Node(settings, catalogue(), system_ports())
    await node.start()
    await node.client.ask(OpenFlight(flight="LX1", seats=1))
    await node.client.ask(OpenHotel(hotel="Ritz", rooms=1))
    await node.client.ask(OpenRental(rental="Wheels", cars=1))
    trip = StartTrip(trip_id="T-1", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=30_000)
    first = await book(node.address, trip)
    assert (first.status, first.flight, first.rental) == (CONFIRMED, "LX1", "Wheels")
    assert await book(node.address, trip) == first
    await node.stop()
