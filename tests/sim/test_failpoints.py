"""A node killed at every durable boundary: a share of what `make failpoints` does to the full."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.billing import Billing
from protos.billing_pb2 import OrderRefunded, RefundOrder
from runtime.failpoints import Failpoint
from runtime.operate.proofs.proof import CrashesTried, ProofResult
from runtime.operate.proofs.proof_file import read_file
from runtime.testing.commands.group import proving
from runtime.testing.runs.exhaustive import Crash, Reference, pairs, reference, run_crash, singles, some_pairs
from runtime.testing.world.ambush import Ambush, Ambushes
from tests.proof.workloads.crash_workload import CrashWorkload

FEWEST = 60
POISON_ONLY = "MESSAGE_PARKED"
REFUND = RefundOrder.DESCRIPTOR.full_name
EVERY = 40  # of the ordered pairs, one in so many


@pytest.fixture(scope="module")
def workload() -> CrashWorkload:
    return CrashWorkload()


@pytest.fixture(scope="module")
def base(workload: CrashWorkload) -> Reference:
    return reference(workload)


def died(workload: CrashWorkload, base: Reference, crash: Crash) -> int:
    """How many nodes died at a point; fails when a promise was broken."""
    result = run_crash(workload, base.seed, crash)
    assert not result.violations, f"{crash}: {result.violations}"
    return result.faults.get("killed at a failpoint", 0)


def test_a_few_orders_in_both_styles_reach_nearly_every_failpoint(base: Reference) -> None:
    assert not base.result.violations
    assert len(base.reached) >= FEWEST, [point.name for point in Failpoint if point not in base.reached]
    assert POISON_ONLY not in [point.name for point in base.reached]


def test_a_node_may_die_the_last_time_it_reaches_any_failpoint(workload: CrashWorkload, base: Reference) -> None:
    last = {crash.point: crash for crash in singles(base)}
    assert {point: died(workload, base, crash) for point, crash in last.items()} == dict.fromkeys(last, 1)


def test_a_node_may_die_again_while_it_or_another_recovers(workload: CrashWorkload, base: Reference) -> None:
    crashes = list(pairs(base))
    assert len(crashes) == len(base.reached) ** 2 >= 1500
    twice = [died(workload, base, crash) == 2 for crash in crashes[::EVERY]]
    assert sum(twice) * 2 > len(twice), "most second crashes did not happen"


def test_every_hit_of_a_point_is_a_run_of_its_own(base: Reference) -> None:
    crashes = [(crash.point, crash.hit) for crash in singles(base)]
    assert len(set(crashes)) == len(crashes) == sum(base.hits.values())


def test_some_of_the_pairs_have_every_point_as_first_and_as_second(base: Reference) -> None:
    some = some_pairs(base, len(base.reached) ** 2 // 3)
    assert {crash.point for crash in some} == {crash.after for crash in some} == set(base.reached)
    assert some_pairs(base, 10**6) == list(pairs(base)) and not some_pairs(base, 0)


def test_the_same_crash_is_the_same_run(workload: CrashWorkload, base: Reference) -> None:
    crash = Crash(Failpoint.TURN_COMMITTED, 5, Failpoint.ROW_READ)
    assert run_crash(workload, base.seed, crash).trace == run_crash(workload, base.seed, crash).trace


def test_what_a_dead_node_was_doing_has_no_effect(workload: CrashWorkload, base: Reference) -> None:
    """It dies with a transition committed and everything still to be sent: what follows was swept by others."""
    result = run_crash(workload, base.seed, Crash(Failpoint.TURN_COMMITTED, 1))
    released = result.reached["TURN_RELEASED"]
    assert released == result.reached["TURN_COMMITTED"] - 1
    assert not result.violations


def test_the_command_lists_the_points() -> None:
    told = CliRunner().invoke(proving, ["failpoints", "--list"])
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.output.splitlines()] == [point.name for point in Failpoint]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of the crashes, so that the command itself is what is tried."""
    monkeypatch.setattr("runtime.testing.runs.exhaustive._SEEDS", 3)
    monkeypatch.setattr("runtime.testing.commands.failpoints.singles", lambda base: list(singles(base))[::50])


@pytest.mark.usefixtures("few")
def test_a_crash_that_breaks_a_promise_ends_with_exit_code_1_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: once a node has died, refunds are said to be done and are not."""
    crashed: list[Ambush] = []
    spring, refund = Ambushes._spring, Billing.refund

    def noticed(ambushes: Ambushes, ambush: Ambush) -> None:
        crashed.append(ambush)
        spring(ambushes, ambush)

    async def forgetful(billing: Billing, command: RefundOrder) -> OrderRefunded:
        return OrderRefunded(order_id=billing.key) if crashed else await refund(billing, command)

    monkeypatch.setattr(Ambushes, "_spring", noticed)
    monkeypatch.setattr(
        Billing, "handlers", {**Billing.handlers, REFUND: replace(Billing.handlers[REFUND], function=forgetful)}
    )
    file = tmp_path / "orders.proofs.json"
    told = CliRunner().invoke(proving, ["failpoints", "--workload", "crash", "--pairs", "0", "--proof", str(file)])
    assert told.exit_code == 1
    assert "killed at" in told.output and "cents stay charged" in told.output
    [proof] = read_file(file)
    assert (proof.kind, proof.result) == ("order-process", ProofResult.BROKEN)
    assert "cents stay charged" in proof.broke and "killed at" in proof.shown_by


@pytest.mark.usefixtures("few")
def test_a_workload_that_fails_without_a_crash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.proof.workloads.orders._mistakes", lambda wish, order, bill: [("I5", "a planted mistake")]
    )
    file = tmp_path / "orders.proofs.json"
    told = CliRunner().invoke(proving, ["failpoints", "--workload", "crash", "--pairs", "0", "--proof", str(file)])
    assert told.exit_code == 1
    assert "the run without a crash breaks a promise already" in told.output and "a planted mistake" in told.output
    [proof] = read_file(file)
    assert (proof.result, proof.broke) == (ProofResult.BROKEN, "I5: a planted mistake")
    assert proof.shown_by.endswith("without a crash")


@pytest.mark.usefixtures("few")
def test_figures_come_as_one_object(tmp_path: Path) -> None:
    file = tmp_path / "orders.proofs.json"
    command = ["failpoints", "--workload", "crash", "--pairs", "20", "--json", "--proof", str(file)]
    told = CliRunner().invoke(proving, command)
    assert told.exit_code == 0, told.output
    figures = json.loads(told.stdout.splitlines()[-1])
    assert (figures["violations"], figures["pairs"]) == (0, 20)
    assert figures["runs"] == figures["hits"] + 20
    assert figures["unreached"]
    [proof] = read_file(file)
    assert proof.is_whole and isinstance(proof.did, CrashesTried)
    assert (proof.did.singles, proof.did.pairs, proof.did.failpoints) == (figures["hits"], 20, figures["failpoints"])
