"""Lists, alternatives, approvals and children: every schedule of them is seen, also with fewer moves, and is sound."""

from __future__ import annotations

from typing import Any

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderLine
from runtime.errors import InvalidDefinition
from runtime.saga.first_of import FirstOf
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from tests.unit.saga import test_approval, test_each, test_each_child, test_first_of, test_held_keys, test_locks
from tests.unit.testing.explorer.test_fewer_moves import seen

CALM = Bounds(1, 1, duplicates_max=0, cancels_max=0, poisons_max=0, replays_max=0, workings_max=0)
TWICE = Bounds(0, 1, poisons_max=0, replays_max=0, workings_max=0)
FOR_GOOD = Bounds(faults_max=1, silences_max=0, duplicates_max=0, cancels_max=0, workings_max=1)


def alternatives() -> type[Saga[Any]]:
    return test_first_of.saga(FirstOf(bill=test_first_of.billing(), ship=test_first_of.shipping()))


def listed(**changed: Any) -> type[Saga[Any]]:
    return test_each.saga(test_each.each(items=lines, **changed))


def lines(state: OrderProcessState) -> list[OrderLine]:
    return test_each.lines(state)[:2]


SAGAS: dict[str, type[Saga[Any]]] = {
    "alternatives": alternatives(),
    "all of a list": listed(),
    "one at a time": listed(at_once=1),
    "in order": listed(at_once=1, in_order=True),
    "one may fail": listed(tolerate=1),
    "one is enough": listed(at_least=1),
    "a list past the pivot": test_each.saga(
        test_each.each(items=lines, step=test_each.labelling(undo=None, undone=(), refused=())), pivot=True
    ),
    "a lock": test_locks.locking(),
    "children": test_each_child.parent(),
    "an approval": test_approval.saga(test_approval.asking()),
    "an approval beside a step": test_approval.saga(test_approval.asking(), beside=True),
    "an approval past the pivot": test_approval.saga(test_approval.asking(), pivot=True),
}


@pytest.mark.parametrize("name", SAGAS)
@pytest.mark.parametrize("bounds", [CALM, TWICE, FOR_GOOD])
def test_every_schedule_is_sound(name: str, bounds: Bounds) -> None:
    result = explore(SAGAS[name], bounds=bounds)
    result.check()


@pytest.mark.parametrize("name", SAGAS)
def test_a_search_with_fewer_moves_sees_the_same_ends(name: str) -> None:
    few, all_ = (seen(SAGAS[name], CALM, every_move=every) for every in (False, True))
    assert few.ends == all_.ends and few.ends
    assert not few.breaches and not all_.breaches


def test_what_is_not_explored_is_said() -> None:
    with pytest.raises(InvalidDefinition, match="Process: an exploration does not know keys that a saga learns yet"):
        explore(test_held_keys.waiting())
