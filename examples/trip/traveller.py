"""A program outside the cluster that books trips: it needs the contracts and the address of a node, and no more."""

from __future__ import annotations

from datetime import timedelta

from examples.trip import trip_pb2
from examples.trip.trip_pb2 import CANCELLED, CONFIRMED, StartTrip, TripState
from runtime import connect

__all__ = ["book"]


async def book(node: str, trip: StartTrip) -> TripState:
    """Ask for a trip, and wait until it is booked whole or not at all. `node` is HOST:PORT of any node."""
    state = TripState()
    async with connect(node, contracts=[trip_pb2]) as client:
        await client.ask(trip, timeout=timedelta(seconds=10))
        async with client.watch("trips", trip.trip_id) as states:
            async for found in states:
                assert isinstance(found.state, TripState)
                state = found.state
                if state.status in (CONFIRMED, CANCELLED):
                    break
    return state
