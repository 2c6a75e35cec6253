"""The books of the shipped examples tell what a service of theirs does wrong."""

from __future__ import annotations

import re

import pytest

from examples.agent.services import PlanTools
from examples.purchase.saga import keep_manager, may_decide
from examples.purchase.services import Budgets, PurchaseOrders
from examples.transfer.services import Accounts
from examples.trip.services import Hotels
from runtime.testing.runs.run import simulate_seed
from runtime.testing.runs.seeds import Standing
from runtime.testing.virtual.dice import Dice
from tests.proof.mutants.mutant import Target, planted_in
from tests.proof.mutants.switchboard import planted
from tests.proof.workloads.examples import Examples

_CENTS_OFF = r"I3 \w+ has -?\d+ cents, and all transfers make \d+"


def _deployed(kind: str) -> Standing:
    """The example that hosts this kind."""
    drawn = (Examples().deploy(Dice(seed)) for seed in range(100))
    return next(one for one in drawn if kind in {behaviour.kind for behaviour in one.catalogue.behaviours})


def _told(deployment: Standing, seeds: int) -> list[str]:
    results = [simulate_seed(seed, deployment, calm=True) for seed in range(seeds)]
    return [f"{one.invariant} {one.what}" for result in results for one in result.violations]


@pytest.mark.parametrize(
    ("kind", "target", "old", "new", "says"),
    [
        ("accounts", Accounts.credit, "self.state.cents += command.cents", "pass", _CENTS_OFF),
        ("accounts", Accounts.undo_credit, "self.state.cents -= command.cents", "pass", _CENTS_OFF),
        ("accounts", Accounts.undo_debit, "self.state.cents += command.cents", "pass", _CENTS_OFF),
        ("buy", Budgets.give_back, "self.state.returned_cents += command.price_cents", "pass", "I3 .* cents reserved"),
        ("buy", PurchaseOrders.place, "self.state.orders += 1", "pass", r"I5 P-\d+ was not ordered as often"),
        ("buy", may_decide, "who in MANAGERS and", "", r"I5 P-\d+ was approved by 'bert'"),
        ("buy", keep_manager, "= who", "= state.offer.requested_by", r"I5 P-\d+ was approved by"),
        ("tools", PlanTools.write, "self._folder.write(self.key, call.file, call.text)", "pass", "I5 .* is completed"),
        ("tools", PlanTools.restore, "self._folder.restore(self.key, command.call.file)", "pass", "I5 .* compensated"),
        ("hotels", Hotels.release, "self.state.released += 1", "pass", r"I3 \d+ rooms are taken, for \d+ confirmed"),
    ],
)
def test_a_service_that_says_what_it_has_not_done_is_told_by_the_books(
    kind: str, target: Target, old: str, new: str, says: str
) -> None:
    deployment = _deployed(kind)
    assert _told(deployment, seeds=1) == []
    with planted(planted_in("wrong-example", "An example does not do what it says.", target, old, new)):
        told = _told(deployment, seeds=2)
    assert any(re.match(says, one) for one in told), told


def test_every_example_is_drawn() -> None:
    kinds = {saga.name for seed in range(40) for saga in Examples().deploy(Dice(seed)).catalogue.sagas}
    assert kinds == {"book-trip", "buy", "move-money", "carry-out"}
