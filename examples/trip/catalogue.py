"""What a node of this deployment can host."""

from __future__ import annotations

from examples.trip import trip_pb2
from examples.trip.saga import BookTrip
from examples.trip.services import Flights, Hotels, Payments, Rentals, Trips
from runtime import Catalogue

__all__ = ["catalogue"]


def catalogue() -> Catalogue:
    return Catalogue(
        contracts=[trip_pb2],
        services={
            "trips": [Trips, BookTrip],
            "flights": [Flights],
            "hotels": [Hotels],
            "rentals": [Rentals],
            "payments": [Payments],
        },
    )
