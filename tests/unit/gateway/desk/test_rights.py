"""Each method of the desk has a right, and a server that only lets read refuses all that change something."""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.message_factory import GetMessageClass

from runtime.adapters import system_ports
from runtime.contracts import Contracts
from runtime.errors import InvalidSettings
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.rights import RIGHTS, SERVICE, Right, is_granted
from runtime.gateway.desk.server import DeskServer
from runtime.protos import admin_pb2
from runtime.store.memory import MemoryStore
from runtime.text_rules import check_reach
from tests.unit.gateway.desk.serving import serving

METHODS = {one.name: one for one in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods}
ACTS = {
    "Act",
    "ReplayDeadLetter",
    "DiscardDeadLetter",
    "StartBatch",
    "StartLetterBatch",
    "ContinueBatch",
    "CancelBatch",
}


def test_every_method_has_a_right() -> None:
    assert set(RIGHTS) == set(METHODS), "give the new method a right: Right.ACT if it changes anything"
    assert METHODS["Act"].containing_service.full_name == SERVICE


def test_what_changes_something_is_an_act() -> None:
    assert {method for method, right in RIGHTS.items() if right is Right.ACT} == ACTS


def test_a_method_without_a_right_is_granted_nothing() -> None:
    assert not is_granted("DropEverything", frozenset(Right))


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_without_leave_to_act_only_reading_is_offered(method: str) -> None:
    async with serving(MemoryStore(system_ports())) as stub:
        request = GetMessageClass(METHODS[method].input_type)()
        try:
            call = getattr(stub, method)(request)
            await (anext(aiter(call)) if METHODS[method].server_streaming else call)
            code, text = grpc.StatusCode.OK, ""
        except grpc.aio.AioRpcError as error:
            code, text = error.code(), error.details() or ""
    if method in ACTS:
        assert code is grpc.StatusCode.PERMISSION_DENIED and "--allow-acts" in text
    else:
        assert code is not grpc.StatusCode.PERMISSION_DENIED, text


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.8.8:1", "[::1]:7", "localhost:7660", "LOCALHOST:1"])
def test_the_loopback_is_allowed(listen: str) -> None:
    check_reach(listen, anywhere=False)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:7660", "10.0.0.1:7660", "desk.test:7660", "localhost.test:1"])
def test_any_other_address_is_refused_unless_it_is_meant(listen: str) -> None:
    desk = RepairDesk(MemoryStore(system_ports()), Contracts(()), system_ports().clock)
    with pytest.raises(InvalidSettings, match=r"loopback.*--anywhere"):
        DeskServer(desk, listen, system_ports())
    check_reach(listen, anywhere=True)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "127.0.0.1:70000", "::1:5"])
def test_what_is_no_address_is_refused_anyhow(listen: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_reach(listen, anywhere=True)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_page_has_a_row_for_each_method_with_its_right(method: str) -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "admin-service.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{method}` |")]
    assert f"| {RIGHTS[method].value} |" in row
