"""simulate(): hostile runs of a deployment of one's own, the story of one that fails, and the command for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from examples.trip.catalogue import catalogue
from examples.trip.clients import Travellers
from examples.trip.trip_pb2 import Pay, TripState
from runtime.errors import InvalidDefinition
from runtime.testing import SeedBatch, Violation, simulate
from runtime.testing.commands.group import proving
from tests.unit.testing import careless_service

NAME = f"{__name__}:Charging@examples.trip.catalogue:catalogue"


class Charging(Travellers):
    """Charges for a trip that nobody booked."""

    async def run(self) -> None:
        await super().run()
        await self.insist(Pay(trip_id="T-NONE", price_cents=1))

    def check(self) -> Iterator[Violation]:
        yield from super().check()
        trips = self.states("trips", TripState)
        yield from (Violation("I5", f"{key} is paid and not booked") for key in self._paid() if key not in trips)

    def _paid(self) -> list[str]:
        return [row.key for row in self.world.ledger.rows_of("payments")]


def test_a_batch_that_kept_its_promises_says_nothing_and_counts() -> None:
    batch = simulate(catalogue, Travellers, seeds=2)
    assert isinstance(batch, SeedBatch)
    batch.check()
    assert (batch.seeds, batch.figures["started"]) == (2, 24)
    assert batch.figures["completed"] + batch.figures["compensated"] == 24


def test_seeds_can_be_chosen_and_faults_left_out() -> None:
    batch = simulate(catalogue(), Travellers, seeds=[7, 11], calm=True)
    assert batch.seeds == 2 and set(batch.faults) <= {"drained"}


def test_a_broken_promise_raises_with_the_story_and_the_command_that_replays_it() -> None:
    batch = simulate(catalogue, Charging, seeds=[3, 4])
    with pytest.raises(AssertionError) as told:
        batch.check()
    story = str(told.value)
    assert "2 of 2 seeds broke 2 promises" in story and "I5: T-NONE is paid and not booked" in story
    assert f"again: python -m runtime.testing replay 3 --workload {NAME}" in story
    done = CliRunner().invoke(proving, ["replay", "3", "--workload", NAME])
    assert done.exit_code == 1 and "I5: T-NONE is paid and not booked" in done.output


def test_what_has_no_name_is_told_how_to_get_one() -> None:
    with pytest.raises(AssertionError, match="give simulate a function and a class that a module names"):
        simulate(catalogue(), Charging, seeds=[3]).check()


def test_settings_of_ones_own_hold_for_every_node() -> None:
    seen: list[int] = []

    class Looking(Travellers):
        async def run(self) -> None:
            await super().run()
            node = self.world.nodes[0]
            seen.append(await node.call(lambda at: _shards(at.settings.shards_per_kind), timeout_s=60.0))

    simulate(catalogue, Looking, seeds=[1], settings={"shards_per_kind": 3}, calm=True).check()
    assert seen == [3]


async def _shards(count: int) -> int:
    return count


def test_a_catalogue_that_could_not_be_replayed_is_refused_before_the_first_seed() -> None:
    with pytest.raises(InvalidDefinition, match=r"careless_prices\.py:\d+: global-random"):
        simulate(careless_service.catalogue, Travellers, seeds=1)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Travellers@examples.trip.catalogue:catalogue", "'Travellers' names no clients: write MODULE:NAME"),
        ("examples.trip.clients:Travellers@catalogue", "'catalogue' names no catalogue"),
        (
            "examples.trip.clients:Nobody@examples.trip.catalogue:catalogue",
            "has no clients 'Nobody'; it has Travellers",
        ),
        ("examples.trip.clients:Travellers@no.such.module:catalogue", "no.such.module"),
    ],
)
def test_a_name_that_leads_nowhere_is_bad_input(name: str, says: str) -> None:
    done = CliRunner().invoke(proving, ["simulate", "--seeds", "1", "--workload", name])
    assert done.exit_code == 2 and says in done.output
