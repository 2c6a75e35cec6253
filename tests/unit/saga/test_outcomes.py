"""What each message makes of a saga's steps and undos, as it is counted."""

from __future__ import annotations

import ast
from pathlib import Path

import runtime.saga
from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import StepOutcome
from runtime.syntax import syntax_tree
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    CANCELLED,
    DECLINED,
    LABELLED,
    READY,
    REFUNDED,
    VOIDED,
    billed,
    placed,
)
from tests.unit.saga.test_each import labelled, short, to, under_way, voided


def counted(story: SagaTranscript) -> list[str]:
    """Of the last message: `bill done`, `undo of bill done`."""
    return [told(one) for one in story.decision.outcomes]


def told(one: StepOutcome) -> str:
    return f"{'undo of ' if one.is_undo else ''}{one.step} {one.outcome}"


def test_a_start_settles_nothing_and_each_answer_a_step() -> None:
    story = placed()
    assert counted(story) == []
    bill = story.command(BillOrder)
    assert counted(story.given(BILLED)) == ["bill done"]
    assert counted(story.given(BILLED, to=bill)) == [], "it came once more"
    assert counted(story.given(LABELLED)) == ["ship done"]
    assert counted(story.given(READY)) == ["close done"]


def test_a_refusal_and_the_undos_after_it() -> None:
    story = billed().given(BACK_ORDERED)
    assert counted(story) == ["ship refused"]
    assert counted(story.given(REFUNDED)) == ["undo of bill done"]
    assert counted(story.given(CANCELLED)) == ["closing done"]


def test_a_step_that_is_refused_first_leaves_no_undo_to_count() -> None:
    assert counted(placed().given(DECLINED)) == ["bill refused"]


def test_silence_leaves_the_outcome_of_a_step_that_is_undone_unknown() -> None:
    assert counted(billed().given_silence("ship")) == ["ship unknown", "ship silent"]


def test_each_fault_of_an_undo_counts_and_the_last_leaves_it_stuck() -> None:
    story = billed().given_silence("ship")
    for _ in range(2):
        assert counted(story.given_fault("offline")) == ["undo of ship faulted"]
        assert counted(story.given_silence("ship")) == [], "the pause is over, and nobody was silent"
    assert counted(story.given_fault("offline")) == ["undo of ship faulted", "undo of ship stuck"]
    assert counted(story.given(VOIDED)) == ["undo of ship done"]


def test_a_step_that_can_only_be_asked_again_may_be_silent_and_faulted_before_it_is_done() -> None:
    story = billed().given(LABELLED)
    assert counted(story.given_silence("close")) == ["close silent"]
    assert counted(story.given_fault("offline")) == ["close faulted"]
    assert counted(story.given(READY)) == ["close done"]


def test_items_of_a_list_are_counted_under_its_name_so_that_names_have_a_bound() -> None:
    story = under_way()
    assert counted(story.given(labelled("HAT"), to=to(story, "HAT"))) == ["lines done"]
    assert counted(story.given(short("CAP"), to=to(story, "CAP"))) == ["lines refused", "lines unknown"]
    assert counted(story.given(voided("HAT"))) == ["undo of lines done"]


def test_whatever_sets_the_status_of_a_task_tells_it() -> None:
    """A status that is set past `Instance.set_status` is not counted. A migration comes before there is an input."""
    rooms = Path(runtime.saga.__file__).parent.rglob("*.py")
    setting = {path.name for path in rooms if sets_a_task_status(syntax_tree(path.read_text()))}
    assert setting == {"instance.py", "migration.py"}


def sets_a_task_status(tree: ast.Module) -> bool:
    """Records of sagas, deadlines, keys and exchanges have a status as well: what is set there is of another enum."""
    of_others = ("SagaRecord", "DeadlineRecord", "StandingKey", "AwaitedEvent", "Exchange", "record", "exchange")
    return any(
        isinstance(target, ast.Attribute)
        and target.attr == "status"
        and not any(name in ast.unparse(one) for name in of_others)
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign)
        for target in ast.walk(one)
        if isinstance(getattr(target, "ctx", None), ast.Store)
    )
