"""The service and the command line tell the same of one store: both call the same functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.repair_commands import ACTS
from runtime.admin.session import Session
from runtime.operate.proofs.kept import add_proofs
from runtime.operate.proofs.proof_file import row_of
from runtime.protos import admin_pb2 as pb
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.open import open_store
from tests.unit.gateway.desk.serving import SAGA, Stub, act_of, serving, stuck_row
from tests.unit.operate.proofs import broken, proof, simulated
from tests.unit.operate.rows import actor, fill, join, mail, order

_M = TypeVar("_M", bound=Message)

REMIND = durable_pb2.Timers(timers=[durable_pb2.Timer(name="remind", due_at_s=5.0, type="shop.Remind")])


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(Path(__file__).parents[4])
    url = f"sqlite:///{tmp_path}/desk.db"

    async def make() -> None:
        store = open_store(url, system_ports())
        await store.open()
        await fill(
            store,
            *(stuck_row(f"ORD-{number}", number) for number in (1, 2, 3)),
            actor("sales", state=order(), timers=REMIND),
        )
        await fill(store, mail(7, parked="no such sku"), mail(8))
        await add_proofs(store, [proof(), broken(version="ab" * 16), proof(simulated(), short_of="it was calm")])
        await store.keep_proofs([replace(row_of(proof(made_at_s=7.0)), body=b"of a newer version")])
        await store.close()

    asyncio.run(make())
    return url


def told_by_command(url: str, *arguments: str) -> Any:
    done = CliRunner().invoke(admin, ["--store", url, *arguments, "--json"], obj=Session())
    assert done.exit_code in (0, 5), done.output
    return json.loads(done.stdout)


def told_by_service(url: str, call: Callable[[Stub], Awaitable[_M]]) -> Any:
    async def ask() -> _M:
        store = open_store(url, system_ports(), create=False, view=True)
        await store.open()
        try:
            async with serving(store) as stub:
                return await call(stub)
        finally:
            await store.close()

    return plain(asyncio.run(ask()))


def plain(answer: Message) -> Any:
    """As the command line has it: a text of JSON is what it says, and 64 bits are a number."""
    told = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _unpacked(told)


def _unpacked(told: Any) -> Any:
    if isinstance(told, list):
        return [_unpacked(one) for one in told]
    if not isinstance(told, dict):
        return told
    return {
        name.removesuffix("_json"): (json.loads(value) if value else None)
        if name.endswith("_json")
        else int(value)
        if name in ("revision", "open", "ended")
        else _unpacked(value)
        for name, value in told.items()
    }


def without_nones(told: Any) -> Any:
    """A message has no field for what there is not."""
    if isinstance(told, list):
        return [without_nones(one) for one in told]
    if isinstance(told, dict):
        return {name: without_nones(one) for name, one in told.items() if one is not None}
    return told


def test_lists_of_sagas_are_the_same(url: str) -> None:
    service = told_by_service(url, lambda stub: stub.ListSagas(pb.ListSagasRequest()))
    assert service["sagas"] == told_by_command(url, "sagas") and len(service["sagas"]) == 3


@pytest.mark.parametrize("address", [SAGA, "sales/ORD-1", "billing/ORD-1"])
def test_explanations_are_the_same(url: str, address: str) -> None:
    service = told_by_service(url, lambda stub: stub.ExplainSaga(pb.ExplainSagaRequest(saga=address)))
    (command,) = told_by_command(url, "explain", address)
    assert {*service} - {*command} == {"acts", "left_out"}
    assert without_nones({name: service[name] for name in command if name in service}) == without_nones(command), (
        "a field that the command line has is missing in admin.proto"
    )


def test_histories_are_the_same(url: str) -> None:
    service = told_by_service(url, lambda stub: stub.GetHistory(pb.GetHistoryRequest(saga=SAGA)))
    service.pop("next_page_token")
    assert service == told_by_command(url, "history", SAGA)


@pytest.mark.parametrize("act", list(ACTS))
@pytest.mark.parametrize("task", ["", "bill", "ship", "nothing"])
def test_previews_of_each_act_are_the_same(url: str, act: str, task: str) -> None:
    wanted = act_of(RepairSaga.Act.Name(ACTS[act]), task=task)
    service = told_by_service(url, lambda stub: stub.PreviewAct(pb.PreviewActRequest(saga=SAGA, act=wanted)))
    arguments = ("--task", task, "--reason", wanted.reason, "--who", wanted.who, "--preview")
    command = told_by_command(url, "repair", act, SAGA, *arguments)
    assert command.pop("act") == act
    service_timers, command_timers = service.pop("timers"), command.pop("timers")
    assert [one["name"] for one in service_timers] == [name for name, _ in command_timers]
    for one, (_, due_at_s) in zip(service_timers, command_timers, strict=True):
        assert one["due_at_s"] == pytest.approx(due_at_s, abs=60.0), "both are previewed now, a moment apart"
    assert service == command


def test_lists_of_timers_are_the_same(url: str) -> None:
    service = told_by_service(url, lambda stub: stub.ListTimers(pb.ListTimersRequest()))
    assert service["timers"] == told_by_command(url, "timers") and len(service["timers"]) == 1


def test_dead_letters_and_versions_are_the_same(url: str) -> None:
    service = told_by_service(url, lambda stub: stub.ListDeadLetters(pb.ListDeadLettersRequest()))
    assert service["letters"] == told_by_command(url, "dead-letters") and service["letters"]
    versions = told_by_service(url, lambda stub: stub.ListDefinitions(pb.ListDefinitionsRequest()))
    assert versions["definitions"] == told_by_command(url, "definitions") and versions["definitions"]


def test_what_was_proven_is_the_same(url: str) -> None:
    service = told_by_service(url, lambda stub: stub.ListProofs(pb.ListProofsRequest()))
    assert service["is_all"] and service["versions"] == told_by_command(url, "proofs")
    assert [len(one["proofs"]) for one in service["versions"]] == [0, 1, 3]


async def with_node(url: str) -> None:
    store = open_store(url, system_ports())
    await store.open()
    await join(store, "one", kinds=("billing",))
    await store.close()


def test_groups_of_dead_letters_runs_and_acts_are_the_same(url: str) -> None:
    asyncio.run(with_node(url))
    groups = told_by_service(url, lambda stub: stub.GroupDeadLetters(pb.GroupDeadLettersRequest()))
    assert groups["groups"] == told_by_command(url, "dead-letters", "groups") and len(groups["groups"]) == 1
    said = ("--all", "--yes", "--name", "sku", "--reason", "it is known now", "--who", "ann")
    done = told_by_command(url, "dead-letters", "replay-many", *said)
    batch = told_by_service(url, lambda stub: stub.GetBatch(pb.GetBatchRequest(name="sku")))
    (item,), (told,) = batch.pop("items"), done.pop("items")
    assert {name: item[name] for name in told} == told
    assert done.pop("more") == 0
    assert {name: batch[name] for name in done} == done
    listed = told_by_service(url, lambda stub: stub.ListBatches(pb.ListBatchesRequest()))
    (run,) = told_by_command(url, "runs")
    assert {name: listed["batches"][0][name] for name in run} == run
    acts = told_by_service(url, lambda stub: stub.ListActs(pb.ListActsRequest()))
    (act,) = told_by_command(url, "acts")
    assert acts["acts"] == [{name: value for name, value in act.items() if name != "id"}]
