"""A saga with some fields of some steps changed: the same kind and steps, and what was changed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from runtime.durations import seconds
from runtime.errors import InvalidDefinition
from runtime.saga.step import Budget, Step
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess
from tests.unit.saga.test_side_by_side import Copying


def test_what_is_not_changed_stays() -> None:
    hasty = ShopProcess.with_steps(bill={"timeout": seconds(0.7)}, closing={"budget": Budget(asks_max=2)})
    usual, new = ShopProcess.definition, hasty.definition
    assert (hasty.kind, hasty.__name__, hasty.state_type) == ("order-process", "ShopProcess", ShopProcess.state_type)
    assert [step.timeout_s for step in new.steps] == [0.7, *(step.timeout_s for step in usual.steps[1:])]
    assert new.closing_steps[0].budget == Budget(asks_max=2)
    assert (new.deadline_s, new.starts) == (usual.deadline_s, usual.starts)
    assert new.fingerprint == usual.fingerprint, "so that instances of the one are carried on by the other"
    assert usual.steps[0].timeout_s == 30.0, "the saga itself is as it was"


def test_a_flow_that_is_no_row_stays_the_graph_that_it_is() -> None:
    varied = Copying.with_steps(**{Copying.definition.steps[0].name: {"timeout": seconds(3)}})
    assert [step.before for step in varied.definition.steps] == [step.before for step in Copying.definition.steps]


def test_a_variation_can_be_varied() -> None:
    twice = ShopProcess.with_steps(bill={"timeout": 1.0}).with_steps(ship={"timeout": 2.0})
    assert [step.timeout_s for step in twice.definition.steps[:2]] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("saga", "changed", "complaint"),
    [
        (
            ShopProcess,
            {"bil": {}},
            r"ShopProcess has no step 'bil' .*; there are bill, ship, close, closing",
        ),
        (FirmOrderProcess, {"closing": {}}, r"has no step 'closing' to be changed; there are bill, ship, close$"),
        (
            ShopProcess,
            {"bill": {"timout": 1}},
            r"ShopProcess.bill: a step has no field 'timout' .* are do, done",
        ),
        (ShopProcess, {"bill": 5}, r"ShopProcess.bill is changed by its fields, not by 5: bill="),
        (ShopProcess, {"bill": {"timeout": -1}}, r"ShopProcess.bill: a step needs a finite timeout above 0"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(saga: Any, changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        saga.with_steps(**changed)


def test_every_field_of_a_step_can_be_changed() -> None:
    assert "on_answer" in [field.name for field in fields(Step)]
    assert ShopProcess.with_steps(ship={"on_answer": ()}).definition.steps[1].on_answer == {}
