"""The explorer sees to it that whatever gets stuck is reported."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from tests.unit.testing.explorer.sagas import TailSaga

POISON = Bounds(faults_max=0, silences_max=0, poisons_max=2, replays_max=0, duplicates_max=0, cancels_max=0)


def test_a_second_step_that_gets_stuck_and_is_not_reported_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = SagaBehaviour.decide

    def quiet(behaviour: SagaBehaviour, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(state, SagaRecord)
        was_stuck = state.status == SagaRecord.STUCK
        decision = decide(behaviour, state, delivery)
        return silenced(decision) if was_stuck else decision

    monkeypatch.setattr(SagaBehaviour, "decide", quiet)
    result = explore(TailSaga, bounds=POISON)
    said = {(one.check, one.what) for one in result.violations}
    assert ("I4", "step restock has got stuck, and no alarm is raised") in said, said


def test_steps_that_get_stuck_and_are_reported_are_no_breach() -> None:
    assert explore(TailSaga, bounds=POISON).violations == ()


def silenced(decision: Decision) -> Any:
    return Decision(decision.outgoing, decision.timers, decision.outcome, decision.note, ended=decision.ended)
