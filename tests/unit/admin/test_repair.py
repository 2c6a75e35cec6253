"""`repair` posts an act to a saga and tells what came of it; `explain` lists the acts as commands to copy."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.orchestration import OrderProcess
from examples.trip.trip_pb2 import TripState
from protos.billing_pb2 import OrderBilled
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import BackOrdered
from runtime.admin.commands import admin
from runtime.admin.repair_commands import ACTS
from runtime.admin.session import Session
from runtime.envelope import shard_of
from runtime.operate.choices import acts_for
from runtime.operate.repairs import post, result_of
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.preview import preview
from runtime.saga.saga import Saga
from runtime.store.memory import MemoryStore
from runtime.testing.transcript import SagaTranscript
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import TALK, actor, fill, mail, row_of
from tests.unit.saga.shop import PLACED, FirmOrderProcess, ShopProcess
from tests.unit.saga.test_any_story import ACTS as STORY_ACTS
from tests.unit.saga.test_any_story import StoryWorld
from tests.unit.saga.test_repair import undo_stuck

ADDRESS = "order-process/ORD-1"
LONG = "x" * 2_001
MANY = ("--reason", "x", "--status", "stuck", "--yes")


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


def stuck() -> SagaRecord:
    """An order whose refund cannot be made, as the order system's own saga has it."""
    story = SagaTranscript(OrderProcess).given(OrderPlaced(order_id="ORD-1", amount_cents=500))
    story.given(OrderBilled(order_id="ORD-1", charge_id="CH-1", amount_cents=500)).given(BackOrdered(order_id="ORD-1"))
    while story.status != "stuck":
        story.given_fault("bank closed")
        if story.status != "stuck":
            story.given_silence()
    record = story.record
    record.conversation = TALK
    return record


def filled(store: MemoryStore) -> SagaRecord:
    record = stuck()
    asyncio.run(fill(store, row_of(record)))
    return record


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])


def test_a_preview_says_what_would_be_done_and_posts_nothing(store: MemoryStore) -> None:
    filled(store)
    seen = run(store, "repair", "mark-undone", ADDRESS, "--task", "bill", "--reason", "paid back", "--preview")
    assert seen.exit_code == 0, seen.output
    assert "status: stuck -> compensating" in seen.output and "task bill: owed -> undone" in seen.output
    assert "sent to sales/ORD-1: CancelOrder" in seen.output and "nothing was done" in seen.output
    assert asyncio.run(store.waiting_for(("order-process", "ORD-1"), row_of(stuck()).shard, limit=9)) == []


def test_a_preview_as_json_has_all_of_it(store: MemoryStore) -> None:
    record = filled(store)
    arguments = ("repair", "retry", ADDRESS, "--reason", "x", "--preview", "--json")
    told = json.loads(run(store, *arguments).output)
    assert (told["revision"], told["before"], told["after"]) == (record.revision, "stuck", "compensating")
    assert [one["type"] for one in told["sent"]] == ["shop.RefundOrder"]


def test_a_preview_of_what_is_refused_exits_with_5(store: MemoryStore) -> None:
    filled(store)
    seen = run(store, "repair", "resume", ADDRESS, "--reason", "x", "--preview")
    assert (seen.exit_code, seen.output) == (5, "refused: it is not suspended\n")


def test_a_version_that_this_build_lacks_is_not_guessed_at(store: MemoryStore) -> None:
    record = stuck()
    record.fingerprint = b"other"
    asyncio.run(fill(store, row_of(record)))
    seen = run(store, "repair", "retry", ADDRESS, "--reason", "x", "--preview")
    assert seen.exit_code == 2 and "which this build lacks" in seen.output


def test_many_are_chosen_by_what_they_owe_and_by_their_dead_letters(store: MemoryStore) -> None:
    filled(store)
    act = ("repair-many", "retry", "--name", "n", "--reason", "x", "--json")
    assert json.loads(run(store, *act, "--owing").output)["would"] == [ADDRESS]
    assert json.loads(run(store, *act, "--letters").output)["would"] == []
    asyncio.run(fill(store, replace(mail(7, kind="order-process", parked="boom"), shard=row_of(stuck()).shard)))
    assert json.loads(run(store, *act, "--letters").output)["would"] == [ADDRESS]
    assert [one["key"] for one in json.loads(run(store, "sagas", "--letters", "--json").output)] == ["ORD-1"]
    assert "say which: --status, --kind" in run(store, *act).output


def test_an_act_that_no_node_has_found_yet_is_told_as_posted(store: MemoryStore) -> None:
    filled(store)
    done = run(store, "repair", "suspend", ADDRESS, "--reason", "x", "--wait", "0")
    assert done.exit_code == 0 and "as soon as its node finds the message" in done.output
    assert "RepairSaga" in run(store, "conversation", "ORD-1").output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("repair", "retry", ADDRESS), 2, "Missing option '--reason'"),
        (("repair", "mend", ADDRESS, "--reason", "x"), 2, "is not one of 'retry', 'mark-done'"),
        (("repair", "retry", "order-process/ORD-9", "--reason", "x"), 4, "there is no saga order-process/ORD-9"),
        (("repair", "retry", "ORD-1", "--reason", "x"), 2, "ORD-1"),
        (("repair", "retry", ADDRESS, "--reason", " "), 2, "say who does it, and why"),
        (("repair", "retry", ADDRESS, "--reason", LONG), 2, "reason has 2,001 characters and may have 2,000"),
        (("repair", "retry", ADDRESS, "--reason", LONG, "--preview"), 5, "reason has 2,001 characters"),
        (("repair", "retry", ADDRESS, "--reason", "x", "--who", "a" * 201), 2, "who has 201 characters"),
        (("repair-many", "retry", "--name", "n" * 201, *MANY), 2, "give it a name of up to 200 characters"),
        (("repair-many", "retry", "--name", "", *MANY), 2, "give it a name"),
        (("retry-saga", ADDRESS, "--reason", LONG), 2, "reason has 2,001 characters"),
        (("dead-letters", "replay", "00", "--reason", LONG), 2, "reason has 2,001 characters"),
        (("dead-letters", "discard", "00", "--reason", LONG), 2, "reason has 2,001 characters"),
        (("check", "--catalogue", "nope:x"), 2, "nope"),
        (("serve", "--listen", "0.0.0.0:0"), 2, "cannot listen on"),
        (("serve", "--listen", "nowhere"), 2, "cannot listen on"),
    ],
)
def test_errors_teach(store: MemoryStore, arguments: tuple[str, ...], code: int, said: str) -> None:
    filled(store)
    done = run(store, *arguments)
    assert done.exit_code == code and said in done.output, done.output


def test_explain_says_what_is_owed_and_lists_the_acts_as_commands_that_work(store: MemoryStore) -> None:
    filled(store)
    told = json.loads(run(store, "explain", "ORD-1", "--json").output)[0]
    assert told["owed"] == ["undo of bill at billing/ORD-1"]
    assert any("mark-undone" in line for line in told["can_do"])
    for line in told["can_do"]:
        _, command = line.split(": amends admin ")
        done = run(store, *shlex.split(command), "--preview")
        assert done.exit_code == 0, (line, done.output)


@pytest.mark.parametrize("saga", [ShopProcess, FirmOrderProcess])
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(st.tuples(st.sampled_from(STORY_ACTS), st.integers(0, 7)), max_size=40))
def test_what_is_offered_is_not_refused(saga: type[Saga[Any]], drawn: list[tuple[str, int]]) -> None:
    world = StoryWorld(SagaTranscript(saga).given(PLACED))
    world.look()
    for act, choice in drawn:
        world.act(act, choice)
    record = world.story.record
    for word, task, _, timer in acts_for(record):
        wanted = RepairSaga(act=ACTS[word], task=task, who="ann", reason="x", expected_revision=record.revision)
        wanted.timer = timer
        if word == "move-timer":
            wanted.in_s = 0.0
        refusal = preview(saga.definition, record, wanted, world.story.now_s).refusal
        assert not refusal or re.search("is under way and cannot be undone", refusal), (word, task, refusal)


def test_a_running_node_does_it_and_the_operator_hears_what_came_of_it() -> None:
    story = undo_stuck()
    record = SagaRecord.FromString(story.record.SerializeToString())
    record.conversation = TALK

    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(ShopProcess)]).start()
        row = row_of(record)
        object.__setattr__(row, "shard", shard_of("ORD-1", node.limits.shards_per_kind))
        await fill(node.store, row)
        saga, now_s = ("order-process", "ORD-1"), node.ports.clock.now_s()
        stale = RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill", who="ann", reason="x", expected_revision=1)
        refused = await post(node.store, saga, stale, now_s)
        assert await result_of(node.store, refused) is None
        stale.expected_revision = record.revision
        done = await post(node.store, saga, stale, now_s + 1)
        await node.sleep(30.0)
        first, second = await result_of(node.store, refused), await result_of(node.store, done)
        assert first is not None and f"it is at revision {record.revision} and not 1" in first.refusal
        assert second is not None and (second.refusal, second.text) == ("", "mark-undone bill, which was owed")
        await node.stop()

    in_virtual_time(scenario)


def test_explain_reads_states_by_the_catalogue_of_the_project(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = TripState(flight="LX1")
    asyncio.run(fill(store, actor("trips", state_type=state.DESCRIPTOR.full_name, state=state.SerializeToString())))
    (tmp_path / "pyproject.toml").write_text('[tool.amends]\ncatalogue = "examples.trip.catalogue:catalogue"\n')
    monkeypatch.chdir(tmp_path)
    (told,) = json.loads(run(store, "explain", "ORD-1", "--json").stdout)
    assert told["state"]["flight"] == "LX1"
    named = CliRunner().invoke(admin, ["--contracts", "protos", "explain", "ORD-1"], obj=Session(store=store))
    assert "trip.TripState" in named.output and "bytes" in named.output, "what is said counts"


def test_a_catalogue_that_cannot_be_read_keeps_nobody_from_looking(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    filled(store)
    (tmp_path / "pyproject.toml").write_text('[tool.amends]\ncatalogue = "nope:catalogue"\n')
    monkeypatch.chdir(tmp_path)
    done = run(store, "explain", "ORD-1")
    assert done.exit_code == 0 and "stuck" in done.stdout
    assert "warning: the message types of the project are not known" in done.stderr and "nope" in done.stderr
