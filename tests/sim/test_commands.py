"""The simulator's command line: what it prints, how it ends, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder
from runtime.operate.proofs.proof import Proof, ProofResult, SeedsSimulated
from runtime.operate.proofs.proof_file import read_file
from runtime.testing.commands.group import proving
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders


class CarelessClients(OrderClients):
    """Sends a bill for an order that nobody placed, and so leaves a charge that no order accounts for."""

    async def run(self) -> None:
        await super().run()
        bill = BillOrder(order_id="ORD-0", amount_cents=1)
        node = self._world.nodes[0]
        await node.call(lambda at: at.client.ask(bill, timeout=10.0), timeout_s=10.0)
        self._wishes[0].request.amount_cents += 1


class CarelessOrders(Orders):
    def begin(self, world: World, dice: Dice) -> OrderClients:
        return CarelessClients(world, dice)


def simulated(proof: Proof) -> SeedsSimulated:
    assert isinstance(proof.did, SeedsSimulated)
    return proof.did


def test_many_seeds_end_with_one_object_of_figures(tmp_path: Path) -> None:
    file = tmp_path / "orders.proofs.json"
    done = CliRunner().invoke(proving, ["simulate", "--seeds", "3", "--from", "50", "--json", "--proof", str(file)])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["seeds"], figures["violations"]) == (3, 0)
    assert figures["seeds_per_s"] > 0 and 0 < figures["completed_share"] < 1 and figures["faults"]
    [proof] = read_file(file)
    did = simulated(proof)
    assert (proof.kind, proof.version) == ("order-process", OrderProcess.definition.fingerprint.hex())
    assert proof.is_whole and (did.workload, did.seeds, did.first_seed, did.last_seed) == ("orders", 3, 50, 52)
    assert (did.steps, did.failpoints) == (figures["steps"], figures["failpoints"])
    assert did.begun >= did.begun_in > 0


def test_a_broken_promise_is_shown_with_the_command_that_shows_it_again(tmp_path: Path) -> None:
    name, file = f"{__name__}:CarelessOrders", tmp_path / "orders.proofs.json"
    command = ["simulate", "--seeds", "1", "--calm", "--workload", name, "--proof", str(file)]
    done = CliRunner().invoke(proving, command)
    assert done.exit_code == 1
    assert "promises broken" in done.output and "ORD-0 is not the order that was placed" in done.output
    assert "PlaceOrder" in done.output, "the messages of the order are not shown"
    assert f"again: python -m runtime.testing replay 0 --workload {name} --calm\n" in done.output
    assert f"smaller: python -m runtime.testing shrink 0 --workload {name} --calm\n" in done.output
    [proof] = read_file(file)
    assert (proof.result, simulated(proof).calm) == (ProofResult.BROKEN, True)
    assert "ORD-0 is not the order that was placed" in proof.broke
    assert proof.shown_by == f"python -m runtime.testing replay 0 --workload {name} --calm"


def test_one_seed_tells_its_story() -> None:
    done = CliRunner().invoke(proving, ["replay", "4"])
    assert done.exit_code == 0, done.output
    assert "seed 4" in done.output and "commits" in done.output


def test_seeds_can_come_from_a_file(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("# the first ones\n1  # why\n\n2\n", encoding="utf-8")
    done = CliRunner().invoke(proving, ["simulate", "--list", str(seeds), "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["seeds"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "seven"], "not a valid integer"),
        (["simulate", "--seeds", "0"], "range"),
        (["replay", "1", "--workload", "no.such.module:orders"], "no.such.module"),
        (["replay", "1", "--workload", "nothing"], "no workload 'nothing'"),
        (
            ["replay", "1", "--workload", "nothing"],
            "name orders, random, streams, failover, poisoned, upgrade, carry, chain, renamed, deadlines, awaited, "
            "held, locked, outside, examples, crash, or MODULE:NAME",
        ),
        (["replay", "1", "--workload", "tests.proof.workloads.orders:"], "orders:' names no workload"),
        (["replay", "--tape", "some.tape", "--workload", "crash"], "--workload has no effect beside --tape"),
        (["replay", "--tape", "some.tape", "--record", "other.tape"], "--record has no effect beside --tape"),
        (["simulate", "--list", __file__, "--seeds", "3"], "--seeds has no effect beside --list"),
        (["simulate", "--list", __file__, "--from", "3"], "--from has no effect beside --list"),
    ],
)
def test_bad_input_is_named(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(proving, arguments)
    assert done.exit_code == 2
    assert says in done.output


def test_what_a_run_has_found_is_told_although_its_proofs_cannot_be_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(proving, ["simulate", "--seeds", "1", "--calm", "--proof", str(tmp_path / ("x" * 300))])
    assert done.exit_code == 7
    assert "1 seeds, " in done.output
    assert "the proofs cannot be written to" in done.output and "File name too long" in done.output
