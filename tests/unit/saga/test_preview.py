"""A preview says what the act then does, and does nothing itself: over records that random stories have reached."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protos.sales_pb2 import CancelOrder
from runtime.durable.behaviour import CancelTimer
from runtime.protos.saga_pb2 import RepairAccepted, RepairRefused, RepairSaga, SagaRecord
from runtime.saga.definition import Definition
from runtime.saga.preview import Sending, TaskMove, preview, sendings
from runtime.saga.saga import Saga
from runtime.saga.view import task_name
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import PLACED, FirmOrderProcess, ShopProcess
from tests.unit.saga.test_any_story import ACTS as STORY_ACTS
from tests.unit.saga.test_any_story import StoryWorld
from tests.unit.saga.test_repair import undo_stuck

ACTS = tuple(act for act in RepairSaga.Act.values() if act != RepairSaga.NONE)
TASKS = ("", "bill", "ship", "close", "closing")
DATA = ("", '{"order_id": "ORD-1"}', "{}")


@pytest.mark.broken_by("preview-moves-nothing")
def test_s135_a_preview_says_what_is_sent_which_tasks_move_and_what_comes_of_the_saga() -> None:
    story = undo_stuck()
    act = RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill", who="ann", reason="paid back")
    seen = preview(ShopProcess.definition, story.record, act, story.now_s)
    assert (seen.before, seen.after, seen.refusal) == ("stuck", "compensating", "")
    assert [(one.to, type(one.message)) for one in seen.sent] == [("sales/ORD-1", CancelOrder)]
    assert seen.moves == (TaskMove("bill", "owed", "undone"), TaskMove("closing", "waiting", "asked"))
    assert seen.text == "mark-undone bill, which was owed"


def test_a_preview_of_what_is_refused_says_why() -> None:
    story = undo_stuck()
    act = RepairSaga(act=RepairSaga.RESUME, who="ann", reason="x")
    seen = preview(ShopProcess.definition, story.record, act, story.now_s)
    assert (seen.refusal, seen.sent, seen.moves, seen.after) == ("it is not suspended", (), (), "stuck")


def told(definition: Definition, story: SagaTranscript, before: SagaRecord, act: RepairSaga) -> None:
    """Do it, and compare."""
    kept = before.SerializeToString()
    seen = preview(definition, before, act, story.now_s)
    assert before.SerializeToString() == kept, "a preview changes nothing"
    story.given_act(act)
    did, after = story.decision, story.record
    assert seen.sent == sendings(tuple(did.outgoing))
    timers = [one for one in did.timers if not isinstance(one, CancelTimer)]
    assert list(seen.timers) == [(one.name, one.due_at_s) for one in timers]
    was = {task.path: task_name(task) for task in before.tasks}
    moves = [TaskMove(one.path, was.get(one.path, ""), task_name(one)) for one in after.tasks]
    assert seen.moves == tuple(one for one in moves if one.before != one.after)
    assert seen.after.partition(",")[0] == story.status
    (answer,) = (one.message for one in did.outgoing if isinstance(one.message, RepairAccepted | RepairRefused))
    assert bool(seen.refusal) == isinstance(answer, RepairRefused)
    if seen.refusal:
        assert after == before and not seen.sent
    else:
        assert after.revision == before.revision + 1 == seen.revision + 1


@pytest.mark.parametrize("saga", [ShopProcess, FirmOrderProcess])
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    drawn=st.lists(st.tuples(st.sampled_from(STORY_ACTS), st.integers(0, 7)), max_size=40),
    before=st.lists(st.sampled_from((RepairSaga.SUSPEND, RepairSaga.RESUME)), max_size=2),
    data=st.sampled_from(DATA),
)
def test_at_its_revision_an_act_does_just_what_its_preview_said(
    saga: type[Saga[Any]], drawn: list[tuple[str, int]], before: list[RepairSaga.Act.ValueType], data: str
) -> None:
    world = StoryWorld(SagaTranscript(saga).given(PLACED))
    world.look()
    middle = len(drawn) // 2
    for number, (act, choice) in enumerate(drawn):
        if number == middle:
            for halting in before:
                world.story.given_act(RepairSaga(act=halting))
                world.look()
        world.act(act, choice)
    reached = world.story
    for act_ in ACTS:
        for task in TASKS:
            story = SagaTranscript(saga).carrying_on(reached)
            wanted = RepairSaga(act=act_, task=task, who="ann", reason="a test", state_json=data)
            told(saga.definition, story, story.record, wanted)


def test_a_message_is_sent_to_where_the_preview_said() -> None:
    story = undo_stuck()
    act = RepairSaga(act=RepairSaga.RETRY, who="ann", reason="x")
    seen = preview(ShopProcess.definition, story.record, act, story.now_s)
    story.given_act(act)
    sent = [one for one in story.decision.outgoing if one.kind]
    assert seen.sent == tuple(Sending(f"{one.kind}/{one.key}", one.message) for one in sent)
