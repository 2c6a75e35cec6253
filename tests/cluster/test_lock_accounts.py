"""What an operator is told of locks, on a real file: who holds what, who waits, what went to whom."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.testing import Cluster, ClusterLoop
from tests.scenarios.locking import MOVE, catalogue, move, open_accounts


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/locks.db"


def ask(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(admin, ["--store", url, *arguments], obj=Session())


def locks_of(url: str, transfer: str) -> list[str]:
    told = json.loads(ask(url, "--contracts", "examples.transfer.transfer_pb2", "explain", transfer, "--json").stdout)
    (one,) = [each for each in told if each["address"] == f"{MOVE}/{transfer}"]
    locks: list[str] = one["locks"]
    return locks


def lived(url: str, *, until_s: float) -> None:
    """Two transfers take from one account: the second waits for the first."""

    async def live() -> None:
        async with Cluster(catalogue(), nodes=1, store=url) as cluster:
            await open_accounts(cluster, ann=100, bea=100, cem=100, bro=100)
            await move(cluster, "M-1", "bro", "bea")
            await cluster.advance(1.0)
            await move(cluster, "M-2", "bro", "cem")
            await cluster.advance(until_s)

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(live())


def test_s81_explain_tells_who_holds_what_a_saga_waits_for(url: str) -> None:
    lived(url, until_s=5.0)
    (waits,) = locks_of(url, "M-2")
    assert waits.startswith(f"it waits for account-lock/bro, held by {MOVE}/M-1, since ")
    assert waits.endswith("; before it wait 0")
    (holds,) = locks_of(url, "M-1")
    assert holds.startswith("it holds account-lock/bro, since ")
    shown = ask(url, "--contracts", "examples.transfer.transfer_pb2", "explain", "M-2").stdout
    assert "its turn at account-lock/bro" in " ".join(shown.split())


def test_s130_explain_tells_to_whom_an_expired_lock_went(url: str) -> None:
    lived(url, until_s=4_000.0)
    lost = f"its lock on account-lock/bro expired, and went to {MOVE}/M-2 "
    assert any(line.startswith(lost) for line in locks_of(url, "M-1"))


@pytest.mark.parametrize("transfer", ["M-1", "M-2"])
def test_s140_a_history_with_locks_becomes_a_test_that_passes(url: str, transfer: str) -> None:
    lived(url, until_s=4_000.0)
    told = ask(url, "history", f"{MOVE}/{transfer}", "--catalogue", "tests.scenarios.locking:catalogue", "--as-test")
    assert told.exit_code == 0, told.output
    names: dict[str, object] = {}
    exec(compile(told.stdout, "made.py", "exec"), names)
    (test,) = [one for name, one in names.items() if name.startswith("test_")]
    assert callable(test)
    test()
