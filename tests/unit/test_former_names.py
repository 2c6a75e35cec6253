"""A parameter that was renamed tells its new name, and what nobody knows is refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from actors.billing import Billing
from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillState
from runtime import Budget, RetryPolicy, Step
from runtime.errors import InvalidDefinition


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        (Step, "keep", "on_answer"),
        (Budget, "backoff_s", "backoff"),
        (Budget, "backoff_max_s", "backoff_max"),
        (RetryPolicy, "delays_s", "delays"),
        (RetryPolicy, "timer_pause_s", "timer_pause"),
        (RetryPolicy, "handler_timeout_s", "handler_timeout"),
        (Billing.of(BillState(), key="ORD-1").set_timer, "delay_s", "delay"),
    ],
)
def test_an_old_name_of_a_parameter_tells_the_new_one(call: Callable[..., Any], old: str, new: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"no parameter '{old}' any more; it is called '{new}'"):
        call(**{old: 1.0})


def test_a_saga_is_varied_by_the_new_names_alone() -> None:
    with pytest.raises(InvalidDefinition, match=r"a step has no field 'keep' to be changed; there are .*on_answer"):
        OrderProcess.with_steps(bill={"keep": None})


def test_the_signature_is_that_of_the_new_names() -> None:
    assert list(inspect.signature(Budget).parameters) == ["asks_max", "backoff", "backoff_max"]
