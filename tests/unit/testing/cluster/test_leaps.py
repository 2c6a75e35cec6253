"""Days go by in a test's cluster at the cost of what happens in them, and what is due in them happens at its time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.trip import trip_pb2
from examples.trip.catalogue import catalogue
from examples.trip.saga import BookTrip
from examples.trip.services import Trips
from examples.trip.trip_pb2 import (
    CANCELLED,
    BookTripState,
    FlightState,
    OpenFlight,
    ReleaseSeat,
    ReserveSeat,
    SeatReleased,
    SeatReserved,
    SoldOut,
    StartTrip,
    TripStarted,
    TripState,
)
from runtime import Catalogue, Saga, Service
from runtime.testing import ClusterLoop
from runtime.testing.fixtures import MakeCluster

DAY_S = 86_400.0
STEPS_MAX = 5_000  # of the loop, for any number of days; with all rounds it would be 90 in each second
TRIP = StartTrip(trip_id="T-1", flight="LX1", hotel="Ritz", price_cents=100)


class SilentFlights(Service[FlightState], kind="flights"):
    """Nobody at the counter says anything, for days."""

    async def reserve(self, command: ReserveSeat) -> SeatReserved | SoldOut | None:
        return None

    async def release(self, command: ReleaseSeat) -> SeatReleased:
        return SeatReleased(trip_id=command.trip_id)


class PatientTrip(Saga[BookTripState], kind="patient-trip"):
    """Asks for a seat, and waits three days for an answer."""

    started_by = BookTrip.started_by
    seat = replace(BookTrip.seat, timeout=3 * DAY_S)
    close = replace(BookTrip.close, pivot=True)
    flow = seat >> close
    closing = BookTrip.closing


def patient() -> Catalogue:
    return Catalogue(contracts=[trip_pb2], services={"trips": [Trips, PatientTrip], "flights": [SilentFlights]})


def steps() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClusterLoop)
    return loop.steps


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{}/cluster.db"])
async def test_days_in_which_nothing_happens_cost_next_to_nothing(
    make_cluster: MakeCluster, store: str, tmp_path: Path
) -> None:
    cluster = await make_cluster(catalogue(), nodes=2, store=store.format(tmp_path))
    began_s, before = cluster.now_s, steps()
    await cluster.advance(days=3)
    assert cluster.now_s == began_s + 3 * DAY_S
    await cluster.advance(timedelta(days=300))
    await cluster.advance(DAY_S)
    assert steps() - before < STEPS_MAX
    assert [node.lives for node in cluster.sim.nodes] == [1, 1] and len(cluster.sim.serving) == 2
    lost = ("LeaseLost", "LeaseRegained", "NodeEvicted", "NodeLeft", "PeerLost", "ClockOffPace", "ClockJumped")
    assert not set(lost) & set(cluster.sim.facts), "nobody has noticed"
    await cluster.send(OpenFlight(flight="LX1", seats=2))


async def test_a_timer_of_three_days_fires_when_it_is_due(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(patient(), nodes=2)
    await cluster.send(TRIP, TripStarted)
    began_s, before = cluster.now_s, steps()
    await cluster.advance(days=3)
    assert await cluster.status("patient-trip", "T-1") in ("running", "compensating")
    await cluster.at_rest()
    assert await cluster.status("patient-trip", "T-1") == "compensated"
    assert (await cluster.state("trips", "T-1", TripState)).status == CANCELLED
    rows = [row for rows in cluster.sim.ledger.history.values() for row in rows.values()]
    told = [row for row in rows if row.type == ReleaseSeat.DESCRIPTOR.full_name]
    assert [row.handled_at_s - began_s for row in told] == pytest.approx([3 * DAY_S], abs=0.1)
    assert steps() - before < STEPS_MAX


async def test_rest_is_waited_for_by_events_too(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(patient(), nodes=2)
    await cluster.send(TRIP, TripStarted)
    before = steps()
    await cluster.at_rest(within=timedelta(days=4))
    assert await cluster.status("patient-trip", "T-1") == "compensated"
    assert steps() - before < STEPS_MAX


async def test_what_a_test_does_meanwhile_is_done_at_its_time(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    began_s = cluster.now_s
    seen: list[float] = []

    async def meanwhile() -> None:
        for _ in range(3):
            await asyncio.sleep(7_200.0)
            seen.append(cluster.now_s - began_s)
            await cluster.send(OpenFlight(flight="LX1", seats=2))

    await asyncio.gather(cluster.advance(days=1), meanwhile())
    assert seen == pytest.approx([7_200.0, 14_400.0, 21_600.0], abs=0.1), "each send found a cluster at work"


async def test_a_node_that_is_dead_or_frozen_is_taken_over_before_days_go_by(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=3)
    cluster.kill("node-1")
    cluster.freeze("node-2")
    await cluster.advance(60.0)
    cluster.thaw("node-2")
    before = steps()
    await cluster.advance(days=3)
    assert steps() - before < 2 * STEPS_MAX
    view = await cluster.sim.database.rows.cluster()
    assert "node-1" not in {row.name for row in view.nodes}
    assert {row.owner for row in view.shards} <= {row.name for row in view.nodes}


async def test_while_links_are_cut_every_second_has_its_rounds(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    cluster.cut("node-1", "node-2")
    before = steps()
    await cluster.advance(120.0)
    assert steps() - before > STEPS_MAX


@pytest.mark.parametrize(
    ("delay", "days"), [(-1, 0), (0, -1), ("x", 0), (float("nan"), 0), (timedelta(days=-1), 0), (0, None)]
)
async def test_time_does_not_go_back_or_by_what_is_no_time(make_cluster: MakeCluster, delay: Any, days: Any) -> None:
    cluster = await make_cluster(catalogue())
    with pytest.raises(ValueError, match=r"^advance\(.*\): time goes forward"):
        await cluster.advance(delay, days=days)
