"""Errors of the operators' desk as status codes: what to look for again, what to change, what is not allowed."""

from __future__ import annotations

import grpc
import pytest

from runtime.errors import AmendsError
from runtime.gateway.codes import NotAllowed, code_of, told_to_clients
from runtime.operate.act_refused import ActRefused
from runtime.operate.dead_letters import NotAwaited, NotFound, NotParked, StillNeeded
from runtime.operate.run import RunEnded, RunMoved
from runtime.protos.saga_pb2 import RepairSaga

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), Code.NOT_FOUND),
        (NotAllowed("x"), Code.PERMISSION_DENIED),
        (NotParked("x"), Code.FAILED_PRECONDITION),
        (NotAwaited("x"), Code.FAILED_PRECONDITION),
        (StillNeeded("x"), Code.FAILED_PRECONDITION),
        (RunMoved("x"), Code.ABORTED),
        (RunEnded("x"), Code.FAILED_PRECONDITION),
    ],
)
def test_each_refusal_has_a_code_and_keeps_its_words(error: AmendsError, code: grpc.StatusCode) -> None:
    assert code_of(error) is code
    assert told_to_clients(error) == (code, "x")


def test_a_refused_act_names_its_saga() -> None:
    error = ActRefused(("order-process", "ORD-1"), RepairSaga(), "it is not stuck")
    assert told_to_clients(error) == (Code.FAILED_PRECONDITION, "order-process/ORD-1: it is not stuck")
