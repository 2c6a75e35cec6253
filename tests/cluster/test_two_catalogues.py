"""Two deployments in one process: each has its own contracts, services and store, and knows nothing of the other."""

from __future__ import annotations

from actors.catalogue import catalogue as orders
from examples.trip.catalogue import catalogue as trips
from examples.trip.trip_pb2 import CONFIRMED, OpenFlight, OpenHotel, OpenRental, StartTrip, TripStarted, TripState
from protos.sales_pb2 import READY_TO_SHIP, OrderLine, OrderPlaced, OrderState, PlaceOrder
from protos.warehouse_pb2 import Restock
from runtime.testing.fixtures import MakeCluster


async def test_two_catalogues_in_one_process_have_nothing_in_common(make_cluster: MakeCluster) -> None:
    shop, agency = await make_cluster(orders(), nodes=2), await make_cluster(trips(), nodes=2)
    await shop.send(Restock(sku="book", quantity=1))
    await agency.send(OpenFlight(flight="LX1", seats=1))
    await agency.send(OpenHotel(hotel="Ritz", rooms=1))
    await agency.send(OpenRental(rental="Wheels", cars=1))
    line = OrderLine(sku="book", quantity=1)
    await shop.send(PlaceOrder(order_id="1", line=line, amount_cents=100), OrderPlaced)
    trip = StartTrip(trip_id="1", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=100)
    await agency.send(trip, TripStarted)
    await shop.at_rest()
    await agency.at_rest()
    assert (await shop.state("sales", "1", OrderState)).status == READY_TO_SHIP
    assert (await agency.state("trips", "1", TripState)).status == CONFIRMED
    assert await shop.status("book-trip", "1") == await agency.status("order-process", "1") == "none"
