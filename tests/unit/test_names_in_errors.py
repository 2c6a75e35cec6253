"""An error names a class or a function as its author does, wherever one was given in place of something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protos.sales_pb2 import OrderPlaced
from runtime.config import settings_of
from runtime.contracts import condition_text
from runtime.durable.client import check_command, timeout_s_of
from runtime.durable.look_up import looks_up
from runtime.durations import hours
from runtime.envelope import wrong_kind
from runtime.errors import AmendsError, InvalidMessage
from runtime.kind_names import names_of_kind
from runtime.saga.carrying import renames
from runtime.saga.on import on
from runtime.saga.read_carries import read_carries
from runtime.testing.cluster.leap import forward_s
from runtime.testing.cluster.nodes import specs_of
from tests.unit.saga.shop import ShopProcess
from tests.unit.saga.test_checks import bill, one


class Misplaced:
    """Stands where it does not belong."""


def ask_the_bank() -> None:
    """Stands where it does not belong, too."""


def _wrong_kind(given: Any) -> None:
    raise InvalidMessage(wrong_kind(given))


_GIVEN: dict[str, Callable[[Any], object]] = {
    "setting": lambda given: settings_of({"lease_s": given}),
    "setting with several": lambda given: settings_of({"services": [given]}),
    "store": lambda given: settings_of({"store": given}),
    "migration": lambda given: read_carries("Next", ShopProcess.definition, {given: ask_the_bank}),
    "new name of a task": lambda given: renames(bill=given),
    "former names": lambda given: names_of_kind("Next", "next", given, "kind='next'"),
    "kind": _wrong_kind,
    "condition": lambda given: on(OrderPlaced, where=given),
    "value of a condition": lambda given: condition_text(OrderPlaced, "order_id", given),
    "duration": hours,
    "timeout of a call": timeout_s_of,
    "command": lambda given: check_command(given, {}),
    "look-up": lambda given: looks_up(given),
    "reason": lambda given: one(bill(no_undo=given)),
    "nodes": lambda given: [*specs_of(given)],
    "time to pass": lambda given: forward_s(given, days=0),
}


@pytest.mark.parametrize("given", [Misplaced, ask_the_bank])
@pytest.mark.parametrize("place", _GIVEN)
def test_what_is_given_in_the_wrong_place_is_called_by_its_name(place: str, given: Any) -> None:
    with pytest.raises((AmendsError, ValueError)) as refused:
        _GIVEN[place](given)
    said = str(refused.value)
    assert given.__name__ in said and "<" not in said and "0x" not in said, said
