"""simulate(): hostile runs of a deployment of one's own, the story of one that fails, and the command for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.protobuf.message import Message

from examples.trip.catalogue import catalogue
from examples.trip.clients import Travellers
from examples.trip.trip_pb2 import Pay, StartTrip, TripStarted, TripState
from protos.billing_pb2 import BillOrder
from runtime.errors import InvalidDefinition
from runtime.testing import SeedBatch, Violation, simulate
from runtime.testing.commands.group import proving
from tests.unit.testing.determinism import careless_service

NAME = f"{__name__}:ChargingTravellers@examples.trip.catalogue:catalogue"


class ChargingTravellers(Travellers):
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
    batch = simulate(catalogue, ChargingTravellers, seeds=[3, 4])
    with pytest.raises(AssertionError) as told:
        batch.check()
    story = str(told.value)
    assert "2 of 2 seeds broke 2 promises" in story and "I5: T-NONE is paid and not booked" in story
    assert f"again: python -m runtime.testing replay 3 --workload {NAME}" in story
    done = CliRunner().invoke(proving, ["replay", "3", "--workload", NAME])
    assert done.exit_code == 1 and "I5: T-NONE is paid and not booked" in done.output


class Lost(Travellers):
    """Makes a mistake of its own: in what it does, or in what it looks for."""

    async def run(self) -> None:
        await super().run()
        raise LookupError("no such traveller")


class CarelessTravellers(Travellers):
    def check(self) -> Iterator[Violation]:
        yield from super().check()
        self.states("trips", TripState)["T-NONE"]


@pytest.mark.parametrize(
    ("clients", "says"), [(Lost, "LookupError: no such traveller"), (CarelessTravellers, "KeyError: 'T-NONE'")]
)
def test_a_mistake_of_the_clients_is_told_with_the_seed_and_the_place(clients: type[Travellers], says: str) -> None:
    with pytest.raises(AssertionError) as told:
        simulate(catalogue, clients, seeds=[3], calm=True).check()
    story = str(told.value)
    assert f"bug: clients: {says} (at test_seeds.py:" in story and "runtime.testing replay 3" in story


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (StartTrip(trip_id=""), "trip.StartTrip needs a key in its field 'trip_id'"),
        (TripStarted(trip_id="T-1"), "trip.TripStarted is no command"),
        (BillOrder(order_id="ORD-1"), "no message type 'shop.BillOrder' is known here"),
    ],
)
def test_clients_that_insist_on_what_no_node_can_take_are_told_why(command: Message, says: str) -> None:
    class InsistingTravellers(Travellers):
        async def run(self) -> None:
            await self.insist(command)

        def check(self) -> Iterator[Violation]:
            yield from ()

    with pytest.raises(AssertionError, match=f"bug: clients: .*{says}"):
        simulate(catalogue, InsistingTravellers, seeds=[3], calm=True).check()


def test_the_conversation_of_what_is_wrong_is_shown_with_it() -> None:
    class DearTravellers(Travellers):
        def check(self) -> Iterator[Violation]:
            yield Violation("I5", "T-1 is too dear", self.conversation("trips", "T-1"))

    with pytest.raises(AssertionError, match=r"conversation [0-9a-f]{32}:(?s:.*)StartTrip(?s:.*)I5: T-1 is too dear"):
        simulate(catalogue, DearTravellers, seeds=[3], calm=True).check()


def test_an_actor_that_nobody_made_has_no_conversation() -> None:
    class AbsentTravellers(Travellers):
        def check(self) -> Iterator[Violation]:
            yield Violation("I5", "T-99 is not there", self.conversation("trips", "T-99"))

    with pytest.raises(AssertionError, match="I5: T-99 is not there"):
        simulate(catalogue, AbsentTravellers, seeds=[3], calm=True).check()


def test_the_command_that_shows_a_calm_run_again_is_calm() -> None:
    with pytest.raises(AssertionError, match=f"replay 3 --workload {NAME} --calm\n|replay 3 --workload {NAME} --calm$"):
        simulate(catalogue, ChargingTravellers, seeds=[3], calm=True).check()


def test_what_has_no_name_is_told_how_to_get_one() -> None:
    with pytest.raises(AssertionError, match="give simulate a function and a class that a module names"):
        simulate(catalogue(), ChargingTravellers, seeds=[3]).check()


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
        ("examples.trip.trip_pb2:TripState@examples.trip.catalogue:catalogue", "is a class without run()"),
        ("examples.trip.clients:Travellers", "needs a catalogue too: write MODULE:CLIENTS@MODULE:CATALOGUE"),
        ("examples.trip.catalogue:catalogue", "is no workload: it gives a Catalogue; write MODULE:CLIENTS@MODULE"),
        ("examples.trip.catalogue:catalogue@examples.trip.clients:Travellers", "Travellers() raised TypeError"),
        ("examples.trip.clients:Travellers@examples.trip.services:LIMIT_CENTS", "LIMIT_CENTS is a int"),
        ("examples.trip.services:LIMIT_CENTS@examples.trip.catalogue:catalogue", "LIMIT_CENTS is a int"),
        ("examples.trip.clients:Travellers@examples.trip.saga:begin", "begin() raised TypeError"),
        ("examples.trip.clients:Travellers@examples.trip.trip_pb2:TripState", "gives a TripState, not a Catalogue"),
    ],
)
def test_a_name_that_leads_nowhere_is_bad_input(name: str, says: str) -> None:
    done = CliRunner().invoke(proving, ["simulate", "--seeds", "1", "--workload", name])
    assert done.exit_code == 2 and says in done.output, done.output


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def catalogue(:", "own cannot be imported: SyntaxError"),
        ("import runtime.no_such_part", "own cannot be imported: ModuleNotFoundError"),
        ("raise ValueError('no city')", "own cannot be imported: ValueError: no city"),
        ("def catalogue(): raise KeyError('city')", "own:catalogue() raised KeyError: 'city' (at own.py:1"),
        (
            "from examples.trip.saga import BookTrip\nfrom runtime.saga.catalogue import Catalogue\n"
            "def catalogue(): return Catalogue(contracts=[], services={'trips': [BookTrip]})",
            "the catalogue own:catalogue does not fit together: ",
        ),
    ],
)
def test_a_catalogue_of_ones_own_that_fails_is_named_with_the_cause(
    source: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    done = CliRunner().invoke(
        proving, ["simulate", "--seeds", "1", "--workload", "examples.trip.clients:Travellers@own:catalogue"]
    )
    assert done.exit_code == 2 and says in done.output, done.output
